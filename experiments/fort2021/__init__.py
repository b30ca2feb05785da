"""The experiments of Fort et al. 2021."""
