"""Measurements on a model that are not training: the analyses of the papers."""
