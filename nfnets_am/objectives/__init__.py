"""Scalars of a batch; each owns its forward passes."""
