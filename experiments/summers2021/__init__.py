"""Summers 2021, chapter 2: its tables and figures, one file each."""
