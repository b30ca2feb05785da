"""When SGD on a quadratic converges (Hoffer et al. 2020, supplement A), without sampling noise.

Each of N samples has a Hessian, positive semi-definite; N / B batches have the means of B of them,
<H>_k; every update takes one batch by chance, w <- w - eta <H>_k w. Theorem: w converges, but
for directions that no sample sees, if lambda_max, the largest eigenvalue of any <H>_k, is below
2 / eta, which is tight. On the way (12)

  E ||P w_t||^2 <= (1 - eta (2 - eta lambda_max) lambda_min)^t ||P w_0||^2,

where P projects on the directions that are seen and lambda_min is the smallest eigenvalue over 0 of
the mean Hessian. (The printed sum over batches runs to N / B, one too far.)

The expectation is over the choice of batches, and is computed, not sampled: it is the trace of a
matrix that every update maps to the mean of (I - eta <H>_k) S (I - eta <H>_k).
"""

import numpy as np

# Of eigenvalues that are 0 but for rounding, relative to the largest.
_ZERO = 1e-9


def samples(rng: np.random.Generator, count: int, dimension: int, rank: int) -> np.ndarray:
  """Returns Hessians of `count` samples, float64 [N, D, D], positive semi-definite.

  Args:
    rng: of the directions that a sample sees.
    count: N.
    dimension: D.
    rank: directions of each sample.
  """
  directions = rng.normal(size=(count, rank, dimension))
  return np.einsum('nri,nrj->nij', directions, directions) / rank


def batches(hessians: np.ndarray, size: int, copies: int = 1) -> np.ndarray:
  """Returns the means over batches of `size` samples in order, float64 [N / B, D, D].

  Args:
    hessians: [N, D, D].
    size: B, a divisor of N.
    copies: of every sample in its batch. Copies change no mean: views that say the same of the
      weights make nothing more stable.
  """
  grouped = hessians.reshape(-1, size, *hessians.shape[1:])
  return np.repeat(grouped, copies, axis=1).mean(1)


def largest(means: np.ndarray) -> float:
  """Returns lambda_max, the largest eigenvalue of any batch's mean [K, D, D]."""
  return float(np.linalg.eigvalsh(means).max())


def smallest(means: np.ndarray) -> float:
  """Returns lambda_min, the smallest eigenvalue over 0 of the mean of all batches' means."""
  values = np.linalg.eigvalsh(means.mean(0))
  return float(values[values > _ZERO * values.max()].min())


def projection(means: np.ndarray) -> np.ndarray:
  """Returns P, float64 [D, D], which projects on the directions that some batch sees."""
  values, vectors = np.linalg.eigh(means.mean(0))
  seen = vectors[:, values > _ZERO * values.max()]
  return seen @ seen.T


def norms(means: np.ndarray, rate: float, start: np.ndarray, updates: int) -> np.ndarray:
  """Returns E ||P w_t||^2 for t from 0 to `updates`, float64 [updates + 1].

  Args:
    means: [K, D, D], of which each update takes one by chance.
    rate: eta.
    start: w_0, float64 [D].
    updates: how many.
  """
  seen = projection(means)
  step = np.eye(len(start)) - rate * means
  second = np.outer(start, start)
  found = [np.trace(seen @ second)]
  for _ in range(updates):
    second = np.einsum('kij,jl,kml->im', step, second, step) / len(step)
    found.append(np.trace(seen @ second))
  return np.array(found)


def bound(means: np.ndarray, rate: float, start: np.ndarray, updates: int) -> np.ndarray:
  """Returns the right side of (12) for t from 0 to `updates`; arguments as of `norms`."""
  factor = 1 - rate * (2 - rate * largest(means)) * smallest(means)
  first = start @ projection(means) @ start
  return first * factor**np.arange(updates + 1)
