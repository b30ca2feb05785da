"""Batch and ghost batch norm against loops in float64 (pitfalls P71, P72, P76, P79)."""

import collections

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import model
from tests.models.norms import by_hand

_SHAPE = (6, 3, 2, 4)


@pytest.mark.parametrize('text, size', [
    ('batch()', 6), ('ghost(size=2)', 2), ('ghost(size=3)', 3), ('ghost(size=1)', 1),
    ('ghost(size=32)', 6)])
def test_training_normalises_consecutive_rows(text, size):
  x, params = by_hand.draw(_SHAPE), by_hand.weights(4)
  out, _ = by_hand.train(text, x, params)
  np.testing.assert_allclose(out, by_hand.normalise(x, size, 4, params), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('text, size', [('batch()', 4), ('ghost(size=2)', 2)])
def test_gradients(text, size):
  x, params = by_hand.draw((4, 2, 1, 2)), by_hand.weights(2)
  by_hand.assert_gradients(
      text, lambda x, params: by_hand.normalise(x, size, 2, params), x, params)


@pytest.mark.parametrize('variance', ['unbiased', 'biased', 'squares'])
def test_a_ghost_batch_of_all_rows_is_batch_norm(variance):
  x = by_hand.draw(_SHAPE)
  options = f"decay=0.7, variance='{variance}'"
  whole, cut = (by_hand.train(text, x) for text in (
      f'batch({options})', f'ghost(size=6, {options})'))
  jax.tree.map(np.testing.assert_array_equal, whole, cut)


@pytest.mark.parametrize('variance, factor', [('unbiased', 12 / 11), ('biased', 1.0)])
def test_ghost_batches_move_the_statistics_one_after_the_other(variance, factor):
  x = by_hand.draw(_SHAPE)
  _, averages = by_hand.train(f"ghost(size=2, decay=0.8, variance='{variance}')", x)
  mean, moving = np.zeros(4), np.ones(4)
  for first in (0, 2, 4):
    part = np.float64(x[first:first + 2]).reshape(-1, 4)
    mean = 0.8 * mean + 0.2 * part.mean(0)
    moving = 0.8 * moving + 0.2 * factor * part.var(0)
  np.testing.assert_allclose(averages['norm']['mean'], mean, rtol=1e-5)
  np.testing.assert_allclose(averages['norm']['variance'], moving, rtol=1e-5)


@pytest.mark.parametrize('text, counts', [('batch()', (8,)), ('ghost(size=4)', (4, 4))])
def test_two_classes_of_one_value_each(text, counts):
  """Rows of 1 and of 5: in training -2 and 2 over the deviation 2, whatever the ghost batch."""
  x = np.float32([1, 5] * 4).reshape(8, 1, 1, 1)
  out, averages = by_hand.train(text, x)
  np.testing.assert_allclose(out.ravel(), [-2 / np.sqrt(4 + 1e-5), 2 / np.sqrt(4 + 1e-5)] * 4,
                             rtol=1e-6)
  # From 0 and 1, by a tenth for each ghost batch, to the mean 3 and the variance 4 N / (N - 1).
  left = 0.9 ** len(counts)
  mean, variance = (1 - left) * 3, left + (1 - left) * 4 * counts[0] / (counts[0] - 1)
  np.testing.assert_allclose(averages['norm']['mean'], mean, rtol=1e-6)
  np.testing.assert_allclose(averages['norm']['variance'], variance, rtol=1e-6)
  tested = by_hand.infer(text, x, averages=averages)
  np.testing.assert_allclose(tested.ravel(), [
      (1 - mean) / np.sqrt(variance + 1e-5), (5 - mean) / np.sqrt(variance + 1e-5)] * 4, rtol=1e-5)


def test_squares_move_once_by_all_rows():
  x = np.float32([0, 0, 2, 2]).reshape(4, 1, 1, 1)
  _, averages = by_hand.train("ghost(size=2, decay=0.0, variance='squares')", x)
  # The mean of the ghost batches' variances would be 0.
  assert averages == {'norm': {'mean': 1.0, 'squares': 2.0}}
  x = by_hand.draw(_SHAPE)
  _, averages = by_hand.train("ghost(size=2, decay=0.99, variance='squares')", x)
  rows = np.float64(x).reshape(-1, 4)
  np.testing.assert_allclose(averages['norm']['mean'], 0.01 * rows.mean(0), rtol=1e-5)
  np.testing.assert_allclose(
      averages['norm']['squares'], 0.99 + 0.01 * (rows ** 2).mean(0), rtol=1e-5)


def test_updates_converge_to_the_statistics_of_a_steady_batch():
  x, averages = by_hand.draw(_SHAPE), None
  for _ in range(4):
    _, averages = by_hand.train("batch(decay=0.5, variance='biased')", x, averages=averages)
  rows = np.float64(x).reshape(-1, 4)
  left = 0.5 ** 4
  np.testing.assert_allclose(averages['norm']['mean'], (1 - left) * rows.mean(0), rtol=1e-5)
  np.testing.assert_allclose(
      averages['norm']['variance'], left + (1 - left) * rows.var(0), rtol=1e-5)


def _moving(second, value, mean=0.0, channels=1):
  return {'norm': {'mean': np.full(channels, mean, np.float32),
                   second: np.full(channels, value, np.float32)}}


@pytest.mark.parametrize('weight, expected', [
    (None, [1, 3]), (0.0, [1, 3]), (0.5, [0, np.sqrt(2)]), (1.0, [-1, 1])])
@pytest.mark.parametrize('variance', ['squares', 'biased'])
def test_examples_are_weighed_by_moments(weight, expected, variance):
  x = np.float32([1, 3]).reshape(1, 2, 1, 1)
  averages = _moving('squares' if variance == 'squares' else 'variance', 1.0)
  text = f"batch(eps=0.0, variance='{variance}')"
  out = by_hand.infer(text, x, averages=averages, example_weight=weight)
  np.testing.assert_allclose(out.ravel(), expected, rtol=1e-6, atol=1e-6)
  if weight is not None:  # One compiled program does all weights.
    again = jax.jit(lambda w: by_hand.transformed(text).apply(
        {'norm': {'scale': jnp.ones(1), 'offset': jnp.zeros(1)}}, averages, None, x,
        model.Mode(False, example_weight=w))[0])(weight)
    np.testing.assert_allclose(again.ravel(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize('weight', [0.2, 1.0])
def test_a_stored_variance_is_a_second_moment_less_the_mean(weight):
  x, params = by_hand.draw(_SHAPE), by_hand.weights(4)
  averages = _moving('variance', 4.0, mean=3.0, channels=4)
  out = by_hand.infer('ghost(size=2)', x, params, averages, example_weight=weight)
  for row, found in zip(np.float64(x), out, strict=True):
    mean = weight * row.mean((0, 1)) + (1 - weight) * 3
    squares = weight * (row ** 2).mean((0, 1)) + (1 - weight) * 13
    expected = (row - mean) / np.sqrt(squares - mean ** 2 + by_hand.EPS)
    expected = expected * params['norm']['scale'] + params['norm']['offset']
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('variance', ['biased', 'squares'])
def test_a_weight_of_zero_on_the_device_is_plain_inference_however_large_a_mean(variance):
  """E[x^2] - E[x]^2 would have lost a variance of 0.1 beside a mean of 1000."""
  mean, second = 1000.0, {'biased': 0.1, 'squares': 1000.0 ** 2 + 1.0}[variance]
  x = np.float32(mean + np.linspace(-0.3, 0.3, 8)).reshape(2, 4, 1, 1)
  averages = _moving('squares' if variance == 'squares' else 'variance', second, mean)
  norm = by_hand.transformed(f"batch(variance='{variance}')")
  params, _ = norm.init(None, x, model.TRAINING)
  weighed = jax.jit(lambda w: norm.apply(
      params, averages, None, x, model.Mode(False, example_weight=w))[0])(0.0)
  plain = by_hand.infer(f"batch(variance='{variance}')", x, averages=averages)
  np.testing.assert_allclose(weighed, plain, rtol=1e-6)


def test_no_weight_is_the_plain_program():
  x = by_hand.draw(_SHAPE)
  norm = by_hand.transformed('batch()')
  params, averages = norm.init(None, x, model.TRAINING)
  plain, zero, some = (str(jax.make_jaxpr(lambda x, m=m: norm.apply(
      params, averages, None, x, m)[0])(x)) for m in (
          model.EVALUATION, model.Mode(False, example_weight=0.0),
          model.Mode(False, example_weight=0.1)))
  assert plain == zero != some and 'reduce_sum' not in plain


@pytest.mark.parametrize('count, bound', [(2, -1), (8, -2.6458), (32, -5.5678), (128, -11.2694)])
def test_training_has_a_least_output(count, bound):
  """Eq. 4.2: -sqrt(B - 1) for one outlier among B values, over rows and space."""
  x = np.zeros((2, count // 2, 1, 1), np.float32)
  x[0, 0] = -1e3
  out, _ = by_hand.train('batch()', x)
  assert out.min() == pytest.approx(bound, abs=1e-3)


@pytest.mark.parametrize('text', ['batch()', 'ghost(size=2)', 'batch_group(groups=2)', 'renorm()'])
def test_bfloat16_is_normalised_in_float32(text):
  x = jnp.asarray(by_hand.draw(_SHAPE, mean=8.0), jnp.bfloat16)
  out, averages = by_hand.train(text, x)
  exact, exact_averages = by_hand.train(text, np.asarray(x, np.float32))
  # But for the last rounding: 8 bits.
  np.testing.assert_allclose(np.float32(out), exact, rtol=2 ** -8, atol=1e-4)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), averages, exact_averages)
  by_hand.infer(text, x, averages=averages, example_weight=0.3)


def test_training_reads_its_input_as_often_as_plain_batch_norm():
  """Both statistics in one reading, then the output: no other map is summed."""
  x = by_hand.draw((8, 3, 2, 4))
  counts = {}
  for text in ('batch()', 'ghost(size=4)', 'batch_group(groups=2, examples=2)', 'group(groups=2)'):
    norm = by_hand.transformed(text)
    params, averages = norm.init(None, x, model.TRAINING)
    jaxpr = jax.make_jaxpr(lambda x, norm=norm, params=params, averages=averages: norm.apply(
        params, averages, None, x, model.TRAINING))(x)
    counts[text] = collections.Counter(
        eqn.primitive.name for eqn in _equations(jaxpr.jaxpr)
        if any(v.aval.size == x.size for v in eqn.invars) and eqn.primitive.name != 'reshape')
    assert counts[text]['reduce_sum'] == 2 and counts[text] == counts['batch()'], counts


def _equations(jaxpr):
  for eqn in jaxpr.eqns:
    inner = [getattr(x, 'jaxpr', x) for x in eqn.params.values()]
    inner = [x for x in inner if hasattr(x, 'eqns')]
    if not inner:
      yield eqn
    for part in inner:
      yield from _equations(part)


@pytest.mark.parametrize('text', ['batch()', 'ghost(size=1)', 'batch_group(groups=2)', 'renorm()'])
def test_a_norm_keeps_its_input_and_no_float32_map(text):
  kept = {norm: counting.activation_bytes(models.create_model('resnet_tiny', 5, norm=norm), 32)
          for norm in (text, 'none()')}
  inputs = 8 * (3 * 32 ** 2 + 2 * 16 ** 2)  # Three norms before the stride, two after it.
  # A few statistics of an example aside.
  assert 0 <= kept[text] - kept['none()'] <= 2 * inputs + 2000


@pytest.mark.parametrize('text, words', [
    ('ghost(size=0)', 'size=0'), ('ghost()', "needs the key 'size'"), ('batch(decay=1.0)', 'decay'),
    ('batch(eps=-1.0)', 'eps=-1.0'), ("batch(variance='bessel')", 'unbiased, biased, squares')])
def test_bad_options_are_named(text, words):
  with pytest.raises(errors.ConfigError, match=words):
    by_hand.transformed(text).init(None, by_hand.draw(_SHAPE), model.TRAINING)


def test_rows_that_no_ghost_batch_divides_are_refused():
  with pytest.raises(errors.ConfigError, match=r'ghost\(size=4\) over 6 rows'):
    by_hand.train('ghost(size=4)', by_hand.draw(_SHAPE))
