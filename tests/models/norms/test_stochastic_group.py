"""Group norms with chance in training (Summers 2021, appendix A.3)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.models import model
from tests.models.norms import by_hand

_SHAPE = (4, 3, 2, 6)


def _train(text, x, seed, progress=0.0):
  norm = by_hand.transformed(text)
  params, state = norm.init(jax.random.key(0), x, model.TRAINING)
  out, after = norm.apply(params, state, jax.random.key(seed), x, model.Mode(True, progress))
  return np.asarray(out), jax.device_get(after)


@pytest.mark.parametrize('text', ['noisy_group(groups=3)', 'random_group(groups=3)',
                                  'changing_group(numbers=(1, 3))'])
def test_it_is_group_norm_at_inference_whatever_the_weight(text):
  x = by_hand.draw(_SHAPE)
  _, averages = _train(text, x, 1)
  same = by_hand.train('group(groups=3)', x)[1]
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), averages, same)
  norm = by_hand.transformed(text)
  params, _ = norm.init(jax.random.key(0), x, model.TRAINING)
  for weight in (None, 0.4):
    mode = model.Mode(False, example_weight=weight)
    np.testing.assert_array_equal(
        norm.apply(params, averages, None, x, mode)[0],
        by_hand.infer('group(groups=3)', x, averages=averages, example_weight=weight))


def test_without_chance_it_is_group_norm_in_training_too():
  x = by_hand.draw(_SHAPE)
  expected = by_hand.normalise(x, 1, 3)
  for text in ('noisy_group(groups=3, noise=0.0)', 'random_group(groups=3, share=0.0)',
               'random_group(groups=6)', 'changing_group(numbers=(3,))'):
    np.testing.assert_allclose(
        _train(text, x, 1)[0], by_hand.normalise(x, 1, 6) if '=6' in text else expected,
        rtol=1e-4, atol=1e-5)


def test_random_groups_are_some_grouping_of_all_channels_and_change_with_the_key():
  x = by_hand.draw((2, 3, 2, 4))
  pairs = [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
  expected = {}
  for pairing in pairs:
    order = [channel for pair in pairing for channel in pair]
    out = by_hand.normalise(x[..., order], 1, 2)
    expected[pairing] = out[..., np.argsort(order)]
  seen = set()
  for seed in range(40):
    out, _ = _train('random_group(groups=2)', x, seed)
    seen |= {pairing for pairing in pairs if np.allclose(out, expected[pairing], atol=1e-4)}
  assert seen == set(pairs)
  usual = sum(np.allclose(_train('random_group(groups=2, share=0.5)', x, seed)[0],
                          expected[pairs[0]], atol=1e-4) for seed in range(60))
  # Half of the updates draw, and a third of what they draw is the usual grouping: 2/3 of 60.
  assert 28 < usual < 52


def test_noise_has_the_size_that_moving_averages_say():
  # One channel to a group; own statistics are 0 and 1, the moving deviation starts at 1.
  x = jnp.tile(jnp.array([1.0, -1.0]).reshape(1, 2, 1, 1), (20_000, 1, 1, 1))
  out, _ = _train('noisy_group(groups=1, noise=0.1, decay=0.0)', x, 1)
  high, low = out[:, 0, 0, 0].astype(np.float64), out[:, 1, 0, 0].astype(np.float64)
  deviation = 2 / (high - low)
  mean = -(high + low) / 2 * deviation
  for draws, centre in ((mean, 0), (deviation, 1)):
    np.testing.assert_allclose(draws.mean(), centre, atol=4e-3)
    np.testing.assert_allclose(draws.std(), 0.1, rtol=0.03)
  assert abs(np.corrcoef(mean, deviation)[0, 1]) < 0.04
  far, _ = _train('noisy_group(groups=1, noise=50.0, decay=0.0)', x[:2000], 1)
  assert (far[:, 0, 0, 0] - far[:, 1, 0, 0]).max() == pytest.approx(4, rel=1e-3)


def test_numbers_of_groups_follow_the_training():
  x = by_hand.draw(_SHAPE)
  for progress, groups in ((0.0, 1), (0.32, 1), (0.34, 2), (0.7, 6), (1.0, 6)):
    np.testing.assert_allclose(
        _train('changing_group(numbers=(1, 2, 6))', x, 1, jnp.float32(progress))[0],
        by_hand.normalise(x, 1, groups), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize('text, words', [
    ('noisy_group(noise=-1.0)', 'noise=-1.0'), ('random_group(share=1.5)', 'share=1.5'),
    ('changing_group(numbers=())', 'one number'), ('changing_group(numbers=(0, 2))', 'numbers=0'),
    ('random_group(groups=4)', '4 groups over 6 channels')])
def test_bad_options_are_named(text, words):
  with pytest.raises(errors.ConfigError, match=words):
    _train(text, by_hand.draw(_SHAPE), 1)
