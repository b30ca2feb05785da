"""Group norm and its union with batch norm (pitfall P74)."""

import jax
import numpy as np
import pytest

from nfnets_am.core import errors
from tests.models.norms import by_hand

_SHAPE = (4, 3, 2, 6)


@pytest.mark.parametrize('groups', [1, 2, 3, 6])
@pytest.mark.parametrize('examples', [1, 2, 4])
def test_training_normalises_groups_of_rows_and_channels(groups, examples):
  x, params = by_hand.draw(_SHAPE), by_hand.weights(6)
  out, _ = by_hand.train(f'batch_group(groups={groups}, examples={examples})', x, params)
  expected = by_hand.normalise(x, examples, groups, params)
  np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


def test_group_means_of_a_small_case():
  x = np.arange(16, dtype=np.float32).reshape(4, 1, 1, 4)
  out, _ = by_hand.train('batch_group(groups=2, examples=2, eps=0.0)', x)
  # The value at the mean of its group is 0: the groups' means are 2.5, 4.5, 10.5, 12.5.
  signs = np.sign(out.reshape(4, 4))
  np.testing.assert_array_equal(signs, [[-1, -1, -1, -1], [1, 1, 1, 1]] * 2)
  np.testing.assert_allclose(out[0, 0, 0], [-2.5 / np.sqrt(4.25), -1.5 / np.sqrt(4.25)] * 2, 1e-5)


@pytest.mark.parametrize('groups, examples', [(2, 2), (3, 1)])
def test_gradients(groups, examples):
  x, params = by_hand.draw((2, 2, 1, 6)), by_hand.weights(6)
  by_hand.assert_gradients(
      f'batch_group(groups={groups}, examples={examples})',
      lambda x, params: by_hand.normalise(x, examples, groups, params), x, params)


@pytest.mark.parametrize('left, right', [
    # One channel to a group: batch norm, ghost batch norm, instance norm.
    ('batch_group(groups=6, examples=4, decay=0.9)', "batch(variance='squares')"),
    ('batch_group(groups=6, examples=2, decay=0.9)', "ghost(size=2, variance='squares')"),
    ('group(groups=6)', 'batch_group(groups=6, examples=1)'),
    # More groups than channels, more examples than rows: cut to what is there.
    ('group(groups=32)', 'group(groups=6)'),
    ('batch_group(groups=3, examples=64)', 'batch_group(groups=3, examples=4)'),
])
def test_the_family_meets_at_its_ends(left, right):
  x = by_hand.draw(_SHAPE)
  one, two = by_hand.train(left, x), by_hand.train(right, x)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), one, two)
  # The moving moments serve every member alike.
  for weight in (0.0, 0.3, 1.0):
    np.testing.assert_allclose(
        by_hand.infer(left, x, averages=one[1], example_weight=weight),
        by_hand.infer(right, x, averages=one[1], example_weight=weight), rtol=1e-4, atol=1e-5)


def test_moving_moments_are_those_of_channels_over_all_rows():
  x = by_hand.draw(_SHAPE)
  rows = np.float64(x).reshape(-1, 6)
  for text in ('group(groups=2, decay=0.9)', 'batch_group(groups=3, examples=2, decay=0.9)'):
    _, averages = by_hand.train(text, x)
    np.testing.assert_allclose(averages['norm']['mean'], 0.1 * rows.mean(0), rtol=1e-5)
    np.testing.assert_allclose(
        averages['norm']['squares'], 0.9 + 0.1 * (rows ** 2).mean(0), rtol=1e-5)


@pytest.mark.parametrize('weight', [0.0, 0.4, 1.0])
def test_inference_averages_both_moments_over_channel_groups(weight):
  x = by_hand.draw(_SHAPE)
  _, averages = by_hand.train('batch_group(groups=2, decay=0.5)', x)
  out = by_hand.infer('batch_group(groups=2)', x, averages=averages, example_weight=weight)
  moving = [np.float64(averages['norm'][name]) for name in ('mean', 'squares')]
  for row, found in zip(np.float64(x), out, strict=True):
    for channels in (slice(0, 3), slice(3, 6)):
      own = row[..., channels].mean(), (row[..., channels] ** 2).mean()
      mean, squares = (weight * a + (1 - weight) * b[channels].mean()
                       for a, b in zip(own, moving, strict=True))
      expected = (row[..., channels] - mean) / np.sqrt(squares - mean ** 2 + by_hand.EPS)
      np.testing.assert_allclose(found[..., channels], expected, rtol=1e-4, atol=1e-5)


def test_group_norm_infers_as_it_trains_and_its_union_by_what_moved():
  x = by_hand.draw(_SHAPE)
  out, averages = by_hand.train('group(groups=2)', x)
  np.testing.assert_allclose(by_hand.infer('group(groups=2)', x, averages=averages), out,
                             rtol=1e-5, atol=1e-6)
  union = 'batch_group(groups=2, examples=2)'
  np.testing.assert_array_equal(
      by_hand.infer(union, x, averages=averages),
      by_hand.infer(union, x, averages=averages, example_weight=0.0))


@pytest.mark.parametrize('text, words', [
    ('group(groups=4)', '4 groups over 6 channels'), ('group(groups=0)', 'groups=0'),
    ('batch_group(examples=2.0)', 'examples=2.0'), ('group(examples=2)', "no key 'examples'"),
    ('batch_group(groups=2, examples=3)', 'over 4 rows')])
def test_bad_options_are_named(text, words):
  with pytest.raises(errors.ConfigError, match=words):
    by_hand.train(text, by_hand.draw(_SHAPE))
