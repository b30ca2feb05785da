"""Placeholder."""
launch = None
