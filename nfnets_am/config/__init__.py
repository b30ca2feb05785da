"""What a run is asked to be: keys and defaults, names, cells, the numbers that follow."""
