"""Experiment files, their runs, and what the runs' folders say."""
