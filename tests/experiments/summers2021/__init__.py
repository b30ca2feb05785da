"""Tests of experiments/summers2021."""
