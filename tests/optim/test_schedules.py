"""Schedules against the values that the papers' sentences give."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.optim.schedules import SCHEDULES
from nfnets_am.optim.schedules import parts

IMAGENET = 1_281_167
WARMUP = 5 * IMAGENET / 4096
NEEDED = {'exponential': {'factor': 0.9, 'every': 4.0}}


def values(name, peak, updates, ts, **kwargs):
  schedule = SCHEDULES.make(name, peak, updates, **kwargs)
  return np.array([schedule(t) for t in ts])


def test_constant():
  np.testing.assert_array_equal(values('constant', 0.1, 7, [0, 6, 100]), np.float32([0.1] * 3))


@pytest.mark.parametrize('name', list(SCHEDULES))
def test_a_traced_array_gives_the_same_float32_as_an_int(name):
  schedule = SCHEDULES.make(name, 0.8, 40, **NEEDED.get(name, {}))
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
    ({'start': -0.1}, 'start'), ({'start': 1.5}, 'start'), ({'every': 0.0}, 'every'),
    ({'every': 39.0}, 'every')])
def test_halving_refuses(kwargs, key):
  with pytest.raises(errors.ConfigError, match=key):
    SCHEDULES.make('halving', 0.1, 100, **kwargs)


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
    SCHEDULES.make('warmup_cosine', 0.1, 100, warmup=warmup)


@pytest.mark.parametrize('name', list(SCHEDULES))
@pytest.mark.parametrize('peak', [-0.1, math.nan, math.inf, '0.1'])
def test_every_schedule_refuses_a_peak_that_is_no_rate(name, peak):
  sentence = f"schedule '{name}': peak is {peak!r}; allowed: a number of at least 0"
  with pytest.raises(errors.ConfigError, match=sentence):
    SCHEDULES.make(name, peak, 40, **NEEDED.get(name, {}))


@pytest.mark.parametrize('name', list(SCHEDULES))
def test_a_run_of_one_update_has_a_finite_rate(name):
  assert np.isfinite(values(name, 0.8, 1, [0, 1, 2], **NEEDED.get(name, {}))).all()


@pytest.mark.parametrize('inclusive', [False, True])
def test_piecewise_says_on_which_side_of_a_boundary_an_update_lies(inclusive):
  """The public code of Summers, ch. 2: 0.01 for 401 updates, t <= 400."""
  steps, scales = (400, 32_000, 48_000, 70_000), (.1, 1., .1, .01, .001)
  ts = sorted({0, 85_953} | {b + d for b in steps for d in (-1, 0, 1)})
  got = values('piecewise', 0.1, 85_954, ts, boundaries=steps, scales=scales, inclusive=inclusive)
  passed = (lambda t, b: t > b) if inclusive else (lambda t, b: t >= b)
  expected = [np.float32(0.1 * scales[sum(passed(t, b) for b in steps)]) for t in ts]
  np.testing.assert_array_equal(got, expected)


def test_piecewise_counts_401_updates_at_the_low_rate():
  got = values('piecewise', 0.1, 500, range(500), boundaries=(400,), scales=(.1, 1.),
               inclusive=True)
  assert np.sum(got == np.float32(0.1 * .1)) == 401


@pytest.mark.parametrize('model, peak, drops, scales, rates', [
    ('ResNet-44', .1, (81, 122, 164), (1, .1, .01, .001), (.1, .01, .001, 1e-4)),
    ('WRN-28-10', .1, (60, 120, 160), (1, .2, .04, .008), (.1, .02, .004, .0008)),
    ('AlexNet', .01, (10, 15, 20, 25), (1, .5, .1, .05, .01), (.01, .005, .001, 5e-4, 1e-4)),
    ('ResNet-50 in 23 epochs', .1, (15, 20, 22), (1, .1, .01, .001), (.1, .01, .001, 1e-4)),
])
def test_piecewise_at_every_drop_of_hoffers_regimes(model, peak, drops, scales, rates):
  per_epoch = 781.25
  schedule = SCHEDULES.make('piecewise', peak, 200 * 781, scales=scales,
                            boundaries=[drop * per_epoch for drop in drops])
  for drop, before, after in zip(drops, rates, rates[1:], strict=False):
    first = math.ceil(drop * per_epoch)
    np.testing.assert_allclose([schedule(first - 1), schedule(first)], [before, after], rtol=1e-6)


def test_piecewise_ramps_from_a_tenth_to_3_2_over_five_epochs():
  """Hoffer's batch of 8192: linear from 0.1, one step an update, no jump at the end."""
  epoch = IMAGENET / 8192
  ts = [0, 1, 391, 781, 782, round(30 * epoch) - 1, round(30 * epoch) + 1]
  got = values('piecewise', 3.2, round(90 * epoch), ts, warmup=5 * epoch, start=1 / 32,
               boundaries=(30 * epoch, 60 * epoch, 80 * epoch), scales=(1, .1, .01, .001))
  ramp = [.1 + 3.1 * t / (5 * epoch) for t in ts[:4]]
  np.testing.assert_allclose(got, [*ramp, 3.2, 3.2, .32], rtol=3e-6)


def test_piecewise_ramps_geometrically_where_asked():
  """Summers' Caltech-256: 3e-5 to 0.03 over 2,000 steps, half of the way at the geometric mean."""
  got = values('piecewise', 0.03, 60_000, [0, 500, 1000, 2000, 44_999, 45_000], warmup=2000,
               start=1e-3, geometric=True, boundaries=(45_000, 57_000), scales=(1, .1, .01))
  expected = [3e-5, 3e-5 * 1000 ** .25, 3e-5 * 1000 ** .5, .03, .03, .003]
  np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_piecewise_ramps_to_its_first_piece():
  got = values('piecewise', 1.0, 20, range(8), warmup=4, boundaries=(6,), scales=(.5, 1.))
  np.testing.assert_allclose(got, [0, .125, .25, .375, .5, .5, 1, 1], rtol=1e-6)


@pytest.mark.parametrize('kwargs, sentence', [
    ({'boundaries': (5,)}, r'scales is \(1.0,\); allowed: 2 numbers'),
    ({'boundaries': (5, 5), 'scales': (1, 1, 1)}, r'boundaries is \(5, 5\); .* that rise'),
    ({'boundaries': (5, 3), 'scales': (1, 1, 1)}, 'boundaries is .* that rise'),
    ({'boundaries': 5.0, 'scales': (1, 1)}, 'boundaries is 5.0; allowed: a tuple of numbers'),
    ({'boundaries': ('5',), 'scales': (1, 1)}, "boundaries is '5'"),
    ({'boundaries': (5,), 'scales': (1, -1)}, 'scales is -1; allowed: a number of at least 0'),
    ({'boundaries': (5,), 'scales': (1, math.nan)}, 'scales is nan'),
    ({'boundaries': (5,), 'scales': (1, 1), 'warmup': 6.0}, 'warmup is 6.0; .*first boundary, 5'),
    ({'warmup': -1.0}, 'warmup is -1.0'),
    ({'warmup': 2.0, 'start': 1.5}, 'start is 1.5; allowed: 0 to 1'),
    ({'start': 0.5}, 'start is 0.5 but warmup is 0'),
    ({'geometric': True, 'warmup': 2.0}, 'geometric is True with warmup 2.0 and start 0.0'),
])
def test_piecewise_refuses(kwargs, sentence):
  with pytest.raises(errors.ConfigError, match=f"schedule 'piecewise': {sentence}"):
    SCHEDULES.make('piecewise', 0.1, 100, **kwargs)


@pytest.mark.parametrize('position, first, behind', [
    (3.0, 3, 4), (3.2, 4, 4), (30 * (10 / 100), 3, 4), (2.9999999996, 3, 4), (0.0, 0, 1)])
def test_the_first_update_at_a_position(position, first, behind):
  assert parts.first_update(position) == first
  assert parts.first_update(position, inclusive=True) == behind
