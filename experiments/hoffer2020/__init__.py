"""Hoffer et al. 2020, "Augment your batch: better training with larger batches"."""
