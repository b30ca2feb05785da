"""What everything stands on: errors, names to things, durations, the seam to many devices."""
