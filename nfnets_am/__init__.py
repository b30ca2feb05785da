"""Augmentation multiplicity: n views of every unique image in one update."""
