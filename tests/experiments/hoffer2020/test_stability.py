"""Supplement A: the theorem on quadratics of which all is known, and against a simulation."""

import numpy as np
import pytest

from experiments.hoffer2020 import stability
from experiments.hoffer2020 import supplement_a


def test_the_expectation_is_that_of_many_runs():
  rng = np.random.default_rng(0)
  means = stability.batches(stability.samples(rng, 6, 3, 2), 2)
  start, rate = np.array([1.0, -2.0, 0.5]), 0.5 / stability.largest(means)
  wanted = np.zeros(5)
  for _ in range(20_000):
    w = start.copy()
    for t in range(5):
      wanted[t] += w @ w
      w = w - rate * means[rng.integers(3)] @ w
  found = stability.norms(means, rate, start, 4)
  np.testing.assert_allclose(found, wanted / 20_000, rtol=0.02)


def test_one_batch_is_plain_gradient_descent():
  hessian = np.diag([0.0, 1.0, 3.0])[None]
  start = np.array([5.0, 1.0, 2.0])
  found = stability.norms(hessian, 0.1, start, 3)
  wanted = [0.9**(2 * t) + 4 * 0.7**(2 * t) for t in range(4)]
  np.testing.assert_allclose(found, wanted)
  assert stability.largest(hessian) == 3 and stability.smallest(hessian) == pytest.approx(1)
  np.testing.assert_allclose(stability.projection(hessian), np.diag([0, 1, 1]), atol=1e-12)
  # (12) with lambda_max = 3, lambda_min = 1: factor 1 - 0.1 (2 - 0.3).
  np.testing.assert_allclose(stability.bound(hessian, 0.1, start, 2), 5 * 0.83**np.arange(3))


def test_below_two_it_converges_within_the_bound_and_above_two_it_need_not():
  for row in supplement_a.rows():
    assert row['converges'] and row['bound holds'], row['rate times lambda_max']
  assert supplement_a.tight(2.01) and not supplement_a.tight(1.99)


def test_copies_change_nothing_and_more_samples_lower_the_largest_eigenvalue():
  found = supplement_a.largest_by_copies()
  np.testing.assert_allclose(found['M copies of B samples'], found['M copies of B samples'][0])
  assert (np.diff(found['M B samples']) < 0).all()
