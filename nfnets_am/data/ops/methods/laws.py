"""From random words to the coefficients that methods share (numpy)."""

import functools

import numpy as np
import scipy.special

# A coefficient in pixels is an integer number of these parts.
ONE = 1 << 16

# Of Beta(0.2, 0.2), one coefficient in 9,000 is farther away.
_STEPS = 3


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
  thresholds, first = _thresholds(alpha)
  # A few steps up from where the first 16 bits lead: a search takes 17, each of them a wait for
  # memory. Whoever is not there yet, since coefficients are rare where it is, is searched for.
  found = first.take(high >> np.uint32(16))
  for _ in range(_STEPS):
    found += thresholds.take(found) <= uniform
  rest = np.flatnonzero(thresholds.take(found) <= uniform)
  found[rest] = np.searchsorted(thresholds, uniform[rest], side='right')
  return found


@functools.cache
def _thresholds(alpha: float) -> tuple[np.ndarray, np.ndarray]:
  """Returns the distribution function of coefficients, and where to look in it.

  Returns:
    float64 [65537], the probability that a coefficient is rounded to at most 0, 1, ..., and one out
    of reach; int32 [65536], how many of these are at most 0, 1/65536, 2/65536, ...
  """
  thresholds = scipy.special.betainc(alpha, alpha, (np.arange(ONE) + 0.5) / ONE)
  first = np.searchsorted(thresholds, np.arange(ONE) / ONE, side='right').astype(np.int32)
  return np.append(thresholds, np.inf), first


def split(high: np.ndarray, low: np.ndarray, alpha: float, size: int) -> np.ndarray:
  """Returns floor(lambda size), int32 [R]: how many of `size` lines come first.

  With alpha = 1 it is uniform over 0 to size - 1, as the public code draws it.
  """
  return np.floor(beta(high, low, alpha) * size).astype(np.int32)


def weight(parts: np.ndarray, whole: int) -> np.ndarray:
  """Returns float32 [R], parts / whole, for integers of any size."""
  return (parts / whole).astype(np.float32)
