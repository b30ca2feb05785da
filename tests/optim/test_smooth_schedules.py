"""Cosines in cycles, exponential decay and the inverse root against their formulas."""

import math

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.optim.schedules import SCHEDULES


def values(name, peak, updates, ts, **kwargs):
  schedule = SCHEDULES.make(name, peak, updates, **kwargs)
  return np.array([schedule(t) for t in ts])


def naive_cosine(t, peak, updates, cycles, end, warmup, start):
  """Summers, ch. 5: the clock of the cosine starts with the ramp's."""
  length = updates / cycles
  cycle = min(math.floor(t / length), cycles - 1)
  position = t - cycle * length
  if position < warmup:
    return peak * (start + (1 - start) * position / warmup)
  done = min(position / length, 1)
  return peak * (end + (1 - end) * (1 + math.cos(math.pi * done)) / 2)


@pytest.mark.parametrize('cycles, updates', [(1, 100), (5, 100), (3, 100), (7, 100)])
@pytest.mark.parametrize('warmup, start, end', [(0.0, 0.0, 0.0), (3.0, 0.0, 0.0), (4.5, .25, .1)])
def test_cosine_against_its_formula(cycles, updates, warmup, start, end):
  ts = range(updates + 10)
  got = values('cosine', 0.4, updates, ts, cycles=cycles, warmup=warmup, start=start, end=end)
  expected = [naive_cosine(t, 0.4, updates, cycles, end, warmup, start) for t in ts]
  np.testing.assert_allclose(got, expected, atol=1e-6)


def test_cosine_of_summers_500_epochs_of_98_updates():
  """First update at rate exactly 0, t / 294 * 0.4 in the ramp, 0.3999645 at the joint."""
  got = values('cosine', 0.4, 49_000, [0, 1, 293, 294, 24_500, 49_000], warmup=294)
  assert got[0] == 0
  np.testing.assert_allclose(
      got, [0, .4 / 294, 293 * .4 / 294, .3999645, .2, 0], rtol=1e-6, atol=1e-8)


def test_cosine_of_the_five_snapshots():
  """Each cycle has a ramp of its own and ends near 0: what a snapshot is taken of."""
  got = values('cosine', 0.4, 49_000, [294, 9_799, 9_800, 9_801, 9_800 + 294, 39_199, 39_200],
               cycles=5, warmup=294)
  end = .2 * (1 + math.cos(math.pi * 9_799 / 9_800))
  np.testing.assert_allclose(
      got, [.399112, end, 0, .4 / 294, .399112, end, 0], rtol=1e-5, atol=1e-7)
  assert 0 < end < 1e-7


def test_cosine_by_epochs_as_darts():
  """600 epochs from 0.025, constant within each, at epochs of 781.25 updates."""
  per_epoch, epochs = 781.25, 600
  ts = [0, 781, 782, 1562, 1563, 2343, 2344, 3124, 3125, 234_374, 234_375, 468_749]
  got = values('cosine', 0.025, 468_750, ts, every=per_epoch)
  expected = [.0125 * (1 + math.cos(math.pi * math.floor(t / per_epoch) / epochs)) for t in ts]
  np.testing.assert_allclose(got, expected, atol=3e-9)


@pytest.mark.parametrize('every', [1.0, 3.0, 7.7])
def test_cosine_by_intervals_with_cycles_and_a_ramp(every):
  got = values('cosine', 1.0, 99, range(99), cycles=3, warmup=6.0, every=every)
  expected = [naive_cosine(math.floor(t / every + 1e-9) * every, 1.0, 99, 3, 0.0, 6.0, 0.0)
              for t in range(99)]
  np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize('kwargs, sentence', [
    ({'cycles': 0}, 'cycles is 0 in a run of 100 updates; allowed: 1 to 100'),
    ({'cycles': 101}, 'cycles is 101'),
    ({'cycles': 2.5}, 'cycles is 2.5'),
    ({'end': 1.5}, 'end is 1.5'),
    ({'every': -1.0}, 'every is -1.0'),
    ({'warmup': 20.0, 'cycles': 5}, 'warmup is 20.0 updates in cycles of 20; .* less than 20'),
    ({'warmup': math.nan}, 'warmup is nan'),
    ({'start': 0.1}, 'start is 0.1 but warmup is 0'),
])
def test_cosine_refuses(kwargs, sentence):
  with pytest.raises(errors.ConfigError, match=f"schedule 'cosine': {sentence}"):
    SCHEDULES.make('cosine', 0.1, 100, **kwargs)


@pytest.mark.parametrize('smooth', [False, True])
@pytest.mark.parametrize('every', [1.0, 7.0, 12.5])
def test_exponential_against_its_formula(smooth, every):
  ts = range(110)
  got = values('exponential', 0.2, 100, ts, factor=0.9, every=every, smooth=smooth)
  last = math.ceil(100 / every) - 1  # The rate of the last interval is held behind the run.
  powers = [t / every if smooth else min(math.floor(t / every), last) for t in ts]
  np.testing.assert_allclose(got, [0.2 * 0.9 ** p for p in powers], rtol=1e-5)


@pytest.mark.parametrize('kwargs, sentence', [
    ({'factor': 0.0, 'every': 1.0}, 'factor is 0.0; allowed: more than 0 to 1'),
    ({'factor': 1.1, 'every': 1.0}, 'factor is 1.1'),
    ({'factor': 0.9, 'every': 0.0}, 'every is 0.0; allowed: a number over 0'),
])
def test_exponential_refuses(kwargs, sentence):
  with pytest.raises(errors.ConfigError, match=f"schedule 'exponential': {sentence}"):
    SCHEDULES.make('exponential', 0.1, 100, **kwargs)


def test_inverse_sqrt_of_the_transformer_base():
  """Vaswani's formula with its own numbers: width 512, warm-up 4000, steps from 1."""
  ts = [0, 1, 1999, 3998, 3999, 4000, 15_999, 99_999]
  got = values('inverse_sqrt', (512 * 4000) ** -0.5, 100_000, ts)
  expected = [512 ** -0.5 * min((t + 1) ** -0.5, (t + 1) * 4000 ** -1.5) for t in ts]
  np.testing.assert_allclose(got, expected, rtol=2e-6)
  assert np.argmax(got) == ts.index(3999)


@pytest.mark.parametrize('warmup', [0.0, -1.0, math.inf])
def test_inverse_sqrt_refuses(warmup):
  with pytest.raises(errors.ConfigError, match=f"'inverse_sqrt': warmup is {warmup}; allowed"):
    SCHEDULES.make('inverse_sqrt', 0.1, 100, warmup=warmup)
