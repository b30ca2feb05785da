"""Differences: errors in closed form, and against draws."""

import math

import numpy as np
import pytest

from nfnets_am.sweeps import differences
from nfnets_am.sweeps import reduction


def _summary(values, examples=0):
  kept = reduction.summarise(values, 'test/top1')
  return reduction.Summary(kept.mean, kept.deviation, kept.runs, examples)


def test_the_error_over_seeds_is_that_of_a_mean():
  values = [0.741, 0.743, 0.740, 0.744, 0.742]
  found = _summary(values).measured('test/top1')
  assert found.seeds == pytest.approx(np.std(values, ddof=1) / math.sqrt(5))
  assert found.sampling == 0 and found.runs == 5
  assert _summary(values[:1]).measured('test/top1').seeds is None


def test_the_error_over_test_sets_is_that_of_a_share():
  # 0.16 points at 85.5% of 50,000 images, however many runs there are.
  for runs in (1, 5):
    found = _summary([0.855] * runs, 50_000).measured('test/top1')
    assert 100 * found.sampling == pytest.approx(0.157, abs=5e-4)
  # 1,000 test sets of 400 images of which a network knows 70%.
  drawn = np.random.default_rng(0).binomial(400, 0.7, 1000) / 400
  assert _summary([0.7], 400).measured('test/top1').sampling == pytest.approx(drawn.std(), rel=0.1)
  # What is no share of examples has no such error.
  loss = reduction.Summary(0.5, 0.1, 3, 400)
  assert loss.measured('test/loss').sampling == 0
  assert loss.measured('test/loss').value == -0.5
  assert reduction.Summary(0.1, 0.0, 3, 400).measured('test/calibration_error').sampling == 0


def test_a_sum_of_networks_has_the_root_of_the_sum_of_squares():
  parts = [differences.Difference(value, seeds, sampling, runs, 'test/top1')
           for value, seeds, sampling, runs in ((0.7, 0.01, 0.02, 5), (0.6, 0.02, 0.03, 3))]
  found = differences.weighted(((2, parts[0]), (-1, parts[1])))
  assert (found.value, found.runs) == (pytest.approx(0.8), 3)
  assert found.seeds == pytest.approx(math.hypot(0.02, 0.02))
  assert found.sampling == pytest.approx(math.hypot(0.04, 0.03))
  assert found.error == pytest.approx(math.hypot(found.seeds, found.sampling))
  single = differences.Difference(0.5, None, 0.01, 1, 'test/top1')
  assert differences.weighted(((1, parts[0]), (-1, single))).seeds is None


@pytest.mark.parametrize('value, seeds, sampling, side', [
    (0.021, 0.01, 0.0, 1), (0.02, 0.01, 0.0, 0), (-0.021, 0.01, 0.0, -1),
    # Single runs have the error of the test set alone, and without it none that is known.
    (0.021, None, 0.01, 1), (0.019, None, 0.01, 0), (9.0, None, 0.0, 0),
    (math.inf, None, 0.0, 1), (-math.inf, 0.01, 0.01, -1), (0.0, 0.0, 0.0, 0)])
def test_what_counts_is_over_twice_the_error(value, seeds, sampling, side):
  found = differences.Difference(value, seeds, sampling, 1, 'test/top1')
  assert found.side == side


def test_a_difference_of_what_could_be_seen_counts_in_four_of_five():
  found = differences.Difference(0.0, 0.3, 0.4, 3, 'test/top1')
  measured = np.random.default_rng(1).normal(found.seen, found.error, 20_000)
  assert (measured > 2 * found.error).mean() == pytest.approx(0.8, abs=0.01)


def test_an_amount_that_must_be_exceeded():
  found = differences.Difference(0.05, 0.01, 0.0, 3, 'test/top1')
  assert found.less(0.02).side == 1 and found.less(0.04).side == 0 and found.less(0.08).side == -1
  assert found.strength == pytest.approx(5)
