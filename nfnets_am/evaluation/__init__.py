"""Weights to numbers, and to predictions, on whole splits."""
