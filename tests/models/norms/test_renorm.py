"""Batch renormalisation (pitfall P78)."""

import jax
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.models import model
from tests.models.norms import by_hand

_SHAPE = (5, 3, 2, 4)
# Full limits from the first update on.
_FULL = 'r_ramp=(0, 1), d_ramp=(0, 1)'


def _averages(mean, deviation, updates=1):
  return {'norm': {'mean': np.float32(mean), 'deviation': np.float32(deviation),
                   'updates': np.int32(updates)}}


def test_within_its_limits_it_is_inference():
  x = by_hand.draw(_SHAPE)
  rng = np.random.default_rng(3)
  averages = _averages(x.mean((0, 1, 2)) + 0.3 * rng.normal(size=4), rng.uniform(1, 2, 4))
  out, _ = by_hand.train(f'renorm({_FULL})', x, averages=averages)
  expected = (x - averages['norm']['mean']) / averages['norm']['deviation']
  np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)
  np.testing.assert_allclose(
      by_hand.infer('renorm()', x, averages=averages), expected, rtol=1e-4, atol=1e-5)


def test_before_its_ramps_it_is_batch_norm():
  x = by_hand.draw(_SHAPE)
  out, _ = by_hand.train('renorm(eps=1e-5)', x, averages=_averages(np.ones(4), 3 * np.ones(4)))
  np.testing.assert_allclose(out, by_hand.train('batch()', x)[0], rtol=1e-5, atol=1e-6)


def _by_hand(x, params, r, d, eps=1e-3):
  x = np.float64(x)
  rows = x.reshape(-1, x.shape[-1])
  out = (x - rows.mean(0)) / np.sqrt(rows.var(0) + eps) * r + d
  return out * params['norm']['scale'] + params['norm']['offset']


def _corrections(x, averages, r_max, d_max, eps=1e-3):
  rows = np.float64(x).reshape(-1, x.shape[-1])
  mean, deviation = averages['norm']['mean'], averages['norm']['deviation']
  r = np.clip(np.sqrt(rows.var(0) + eps) / deviation, 1 / r_max, r_max)
  return r, np.clip((rows.mean(0) - mean) / deviation, -d_max, d_max)


@pytest.mark.parametrize('updates, share', [(10, 0.0), (15, 0.5), (20, 1.0), (99, 1.0)])
def test_limits_ramp_with_the_updates(updates, share):
  x, params = by_hand.draw(_SHAPE), by_hand.weights(4)
  averages = _averages([40.0, -40, 2, 1], [0.01, 0.02, 50, 1], updates)
  text = 'renorm(r_max=2.0, d_max=4.0, r_ramp=(10, 20), d_ramp=(10, 20))'
  out, after = by_hand.train(text, x, params, averages)
  r, d = _corrections(x, averages, 1 + share, 4 * share)
  assert share == 0 or (np.abs(np.log(r)) > 0.4).any()
  np.testing.assert_allclose(out, _by_hand(x, params, r, d), rtol=1e-4, atol=1e-4)
  assert after['norm']['updates'] == updates + 1
  assert after['norm']['updates'].dtype == np.int32


def test_limits_ramp_with_the_progress_and_count_nothing():
  x, params = by_hand.draw(_SHAPE), by_hand.weights(4)
  averages = _averages([40.0, -40, 2, 1], [0.01, 0.02, 50, 1])
  del averages['norm']['updates']
  text = "renorm(unit='progress', r_ramp=(0.1, 0.5), d_ramp=(0.2, 0.4))"
  out, after = by_hand.train(text, x, params, averages, progress=np.float32(0.3))
  np.testing.assert_allclose(
      out, _by_hand(x, params, *_corrections(x, averages, 2.0, 2.5)), rtol=1e-4, atol=1e-4)
  assert set(after['norm']) == {'mean', 'deviation'}


def test_the_corrections_have_no_gradient():
  x, params = by_hand.draw((4, 2, 1, 2)), by_hand.weights(2)
  averages = _averages([1.0, 0.5], [0.8, 1.3])
  r, d = _corrections(x, averages, 3, 5)
  by_hand.assert_gradients(
      f'renorm({_FULL})', lambda x, params: _by_hand(x, params, r, d), x, params, averages)


def test_mean_and_deviation_move():
  x = by_hand.draw(_SHAPE)
  _, averages = by_hand.train('renorm(decay=0.8)', x)
  rows = np.float64(x).reshape(-1, 4)
  np.testing.assert_allclose(averages['norm']['mean'], 0.2 * rows.mean(0), rtol=1e-5)
  np.testing.assert_allclose(
      averages['norm']['deviation'], 0.8 + 0.2 * np.sqrt(rows.var(0) + 1e-3), rtol=1e-5)


@pytest.mark.parametrize('weight', [0.3, 1.0])
def test_examples_are_weighed_by_moments(weight):
  x = by_hand.draw(_SHAPE)
  averages = _averages([1.0, 0, 2, 1], [0.5, 1, 2, 1])
  out = by_hand.infer('renorm()', x, averages=averages, example_weight=weight)
  moving = averages['norm']
  for row, found in zip(np.float64(x), out, strict=True):
    mean = weight * row.mean((0, 1)) + (1 - weight) * moving['mean']
    squares = weight * (row ** 2).mean((0, 1)) + (1 - weight) * (
        moving['deviation'] ** 2 - 1e-3 + moving['mean'] ** 2)
    expected = (row - mean) / np.sqrt(squares - mean ** 2 + 1e-3)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('options, words', [
    ('r_max=0.5', 'r_max=0.5'), ('d_max=-1.0', 'd_max=-1.0'), ('eps=0.0', 'eps=0.0'),
    ("unit='epochs'", 'updates, progress'), ('r_ramp=(5, 5)', 'r_ramp'),
    ("unit='progress'", r'r_ramp=\(5000, 40000\)')])
def test_bad_options_are_named(options, words):
  with pytest.raises(errors.ConfigError, match=words):
    by_hand.transformed(f'renorm({options})').init(None, by_hand.draw(_SHAPE), model.TRAINING)


def test_the_count_stays_an_integer_through_jit():
  norm = by_hand.transformed('renorm()')
  x = by_hand.draw(_SHAPE)
  params, averages = norm.init(None, x, model.TRAINING)
  step = jax.jit(lambda averages: norm.apply(params, averages, None, x, model.TRAINING)[1])
  for _ in range(3):
    averages = step(averages)
  assert averages['norm']['updates'] == 3 and averages['norm']['updates'].dtype == np.int32
