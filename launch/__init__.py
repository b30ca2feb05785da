"""Runs the cells of a sweep; stands outside the package and imports it."""
