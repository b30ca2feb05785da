"""From random words to the coefficients that methods share (numpy)."""

import functools

import numpy as np
import scipy.special

# A coefficient in pixels is an integer number of these parts.
ONE = 1 << 16


def beta(high: np.ndarray, low: np.ndarray, alpha: float) -> np.ndarray:
  """Returns float64 [R] in [0, 1], drawn from Beta(alpha, alpha), of two words uint32 [R] each.

  By the inverse of the distribution function: no rejection, so a row takes a fixed number of
  words. 53 bits, since Beta(0.2, 0.2) crowds at 0 and 1.
  """
  bits = (high.astype(np.uint64) << np.uint64(21)) | (low >> np.uint32(11))
  uniform = bits.astype(np.float64) * 2.0**-53
  return uniform if alpha == 1 else scipy.special.betaincinv(alpha, alpha, uniform)


def share(high: np.ndarray, low: np.ndarray, alpha: float) -> np.ndarray:
  """Returns the same as int32 [R] from 0 to 65536, in parts of 1/65536, rounded to nearest.

  By a table of the distribution function: its inverse takes as long as all else of a small image.
  """
  uniform = beta(high, low, 1)
  if alpha == 1:
    return np.floor(uniform * ONE + 0.5).astype(np.int32)
  return np.searchsorted(_thresholds(alpha), uniform, side='right').astype(np.int32)


@functools.cache
def _thresholds(alpha: float) -> np.ndarray:
  """Returns float64 [65536]: the probability that a coefficient is rounded to at most 0, 1, ..."""
  return scipy.special.betainc(alpha, alpha, (np.arange(ONE) + 0.5) / ONE)


def split(high: np.ndarray, low: np.ndarray, alpha: float, size: int) -> np.ndarray:
  """Returns floor(lambda size), int32 [R]: how many of `size` lines come first.

  With alpha = 1 it is uniform over 0 to size - 1, as the public code draws it.
  """
  return np.floor(beta(high, low, alpha) * size).astype(np.int32)


def weight(parts: np.ndarray, whole: int) -> np.ndarray:
  """Returns float32 [R], parts / whole, for integers of any size."""
  return (parts / whole).astype(np.float32)
