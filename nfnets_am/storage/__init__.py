"""What a run keeps, on a disk or in a bucket."""
