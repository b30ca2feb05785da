"""What a run costs, without running it: counted off its program, or compiled for its device."""
