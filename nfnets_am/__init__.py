"""Augmentation multiplicity: n views of every unique image in one update."""

__version__ = '0.1.0'
