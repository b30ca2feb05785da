"""Schedules against the values that the papers' sentences give."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import schedules

IMAGENET = 1_281_167
WARMUP = 5 * IMAGENET / 4096


def values(name, peak, updates, ts, **kwargs):
  schedule = schedules.SCHEDULES.make(name, peak, updates, **kwargs)
  return np.array([schedule(t) for t in ts])


def test_constant():
  np.testing.assert_array_equal(values('constant', 0.1, 7, [0, 6, 100]), np.float32([0.1] * 3))


@pytest.mark.parametrize('name', list(schedules.SCHEDULES))
def test_a_traced_array_gives_the_same_float32_as_an_int(name):
  schedule = schedules.SCHEDULES.make(name, 0.8, 40)
  ts = range(45)
  traced = jax.jit(jax.vmap(schedule))(jnp.arange(45, dtype=jnp.int32))
  assert traced.dtype == jnp.float32
  assert schedule(3).dtype == jnp.float32
  np.testing.assert_allclose(traced, [schedule(t) for t in ts], atol=2e-7)


@pytest.mark.parametrize('per_epoch', [1, 10, 781])
def test_halving_over_20_epochs(per_epoch):
  epochs = [0, 9, 10, 11, 19]
  ts = [e * per_epoch for e in epochs]
  np.testing.assert_array_equal(
      values('halving', 1.0, 20 * per_epoch, ts), [1, 1, 1 / 2, 1 / 4, 1 / 1024])
  np.testing.assert_array_equal(
      values('halving', 1.0, 20 * per_epoch, ts, first_at_start=False),
      [1, 1, 1, 1 / 2, 1 / 512])


def test_halving_honours_fractional_boundaries():
  # 128 epochs of 10 updates: m/20 is 6.4 epochs, so the second halving is at 70.4.
  ts = [639, 640, 703, 704, 705, 1279]
  np.testing.assert_array_equal(
      values('halving', 1.0, 1280, ts), [1, 1 / 2, 1 / 2, 1 / 4, 1 / 4, 1 / 1024])


@pytest.mark.parametrize('first_at_start', [True, False])
@pytest.mark.parametrize('updates', [1, 3, 4, 7, 20, 100, 1001])
def test_halving_counts_the_boundaries_that_were_passed(updates, first_at_start):
  """Naive loop in whole numbers: position k/20 of the run is passed at t when 20 t >= k m."""
  first = 10 if first_at_start else 11
  expected = [0.5 ** sum(20 * t >= k * updates for k in range(first, 20)) for t in range(updates)]
  got = values('halving', 1.0, updates, range(updates), first_at_start=first_at_start)
  np.testing.assert_array_equal(got, expected)


def test_halving_with_other_fractions():
  # start 0.1 and every 0.3 of 10 updates: 1, 4, 7; as floats 0.1 + 2 * 0.3 would lie over 7/10.
  got = values('halving', 8.0, 10, range(10), start=0.1, every=0.3)
  np.testing.assert_array_equal(got, [8, 4, 4, 4, 2, 2, 2, 1, 1, 1])


@pytest.mark.parametrize('multiplicity, updates, drop', [(1, 6250, 3125), (16, 100_000, 50_000)])
def test_halving_stretches_in_updates_with_the_fixed_batch(multiplicity, updates, drop):
  # 128 epochs of 50,000 images, batch 1024: the paper's epochs are passes over unique images.
  assert updates == 128 * 50_000 * multiplicity // 1024
  np.testing.assert_array_equal(
      values('halving', 0.1, updates, [drop - 1, drop]), np.float32([0.1, 0.05]))


@pytest.mark.parametrize('kwargs, key', [
    ({'start': -0.1}, 'start'), ({'start': 1.5}, 'start'), ({'every': 0.0}, 'every')])
def test_halving_refuses(kwargs, key):
  with pytest.raises(errors.ConfigError, match=key):
    schedules.SCHEDULES.make('halving', 0.1, 100, **kwargs)


def test_warmup_cosine_of_the_nfnets():
  updates = IMAGENET * 360 // 4096
  assert updates == 112_602
  got = values('warmup_cosine', 0.8, updates, [0, 782, 1564, 57_083, updates, updates + 5000],
               warmup=WARMUP)
  np.testing.assert_allclose(got, [0, 0.400019, 0.8, 0.4, 0, 0], rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize('warmup', [0.0, 1.0, 12.5, 99.0])
def test_warmup_cosine_against_its_formula(warmup):
  def formula(t):
    if t < warmup:
      return 3 * t / warmup
    done = min((t - warmup) / (100 - warmup), 1)
    return 3 * (1 + math.cos(math.pi * done)) / 2

  ts = range(110)
  got = values('warmup_cosine', 3.0, 100, ts, warmup=warmup)
  np.testing.assert_allclose(got, [formula(t) for t in ts], atol=2e-6)


@pytest.mark.parametrize('warmup', [-1.0, 100.0, 101.0])
def test_warmup_cosine_refuses_a_warmup_outside_the_run(warmup):
  with pytest.raises(errors.ConfigError, match=f'warmup is {warmup} updates in a run of 100'):
    schedules.SCHEDULES.make('warmup_cosine', 0.1, 100, warmup=warmup)
