"""Group norms that find their numbers of groups themselves (Summers 2021, appendix A.3)."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.models.norms import group_sizes
from tests.models.norms import by_hand

_SHAPE = (4, 3, 2, 6)


@pytest.mark.parametrize('channels, side, elements, groups', [
    (64, 32, 4096, 16), (128, 16, 4096, 8), (256, 8, 4096, 4), (512, 4, 4096, 2),
    # No group has more than all channels, or less than one; a divisor is not always there.
    (16, 2, 4096, 1), (16, 224, 4096, 16), (6, 2, 9, 3)])
def test_groups_have_as_many_elements_everywhere(channels, side, elements, groups):
  assert group_sizes.groups_of(channels, side * side, elements) == groups


@pytest.mark.parametrize('elements, groups', [(36, 1), (18, 2), (12, 3), (6, 6)])
def test_even_groups_are_group_norm(elements, groups):
  x, params = by_hand.draw(_SHAPE), by_hand.weights(6)
  text = f'even_group(elements={elements})'
  out, averages = by_hand.train(text, x, params)
  np.testing.assert_allclose(out, by_hand.normalise(x, 1, groups, params), rtol=1e-4, atol=1e-5)
  np.testing.assert_array_equal(
      by_hand.infer(text, x, params, averages, example_weight=0.3),
      by_hand.infer(f'group(groups={groups})', x, params, averages, example_weight=0.3))


def _by_hand(x, params):
  weights = params['norm']
  parts = []
  for number in (1, 3):
    grouped = np.float64(x).reshape(x.shape[0], -1, number, x.shape[-1] // number)
    parts.append([np.repeat(grouped.mean((1, 3)), x.shape[-1] // number, -1),
                  np.repeat(grouped.var((1, 3)), x.shape[-1] // number, -1)])
  mixed = []
  for which, name in enumerate(('mean_weights', 'variance_weights')):
    share = np.exp(np.float64(weights[name]))
    share /= share.sum()
    mixed.append(sum(s * part[which] for s, part in zip(share, parts, strict=True))[:, None, None])
  out = (np.float64(x) - mixed[0]) / np.sqrt(mixed[1] + by_hand.EPS)
  return out * np.float64(weights['scale']) + np.float64(weights['offset'])


def test_switchable_mixes_statistics_by_learnt_weights():
  x, params = by_hand.draw((2, 2, 1, 6)), by_hand.weights(6)
  params['norm'] |= {'mean_weights': np.float32([0.3, -0.5]),
                     'variance_weights': np.float32([1.0, 0.2])}
  text = 'switchable(numbers=(1, 3))'
  out, _ = by_hand.train(text, x, params)
  np.testing.assert_allclose(out, _by_hand(x, params), rtol=1e-4, atol=1e-5)
  np.testing.assert_array_equal(by_hand.infer(text, x, params), out)
  by_hand.assert_gradients(text, _by_hand, x, params)


@pytest.mark.parametrize('text, words', [
    ('even_group(elements=0)', 'elements=0'), ('switchable(numbers=(4,))', 'two numbers'),
    ('switchable(numbers=(4, 0))', 'numbers=0'), ('switchable(numbers=(1, 4))', '4 groups over 6')])
def test_bad_options_are_named(text, words):
  with pytest.raises(errors.ConfigError, match=words):
    by_hand.train(text, by_hand.draw(_SHAPE))
