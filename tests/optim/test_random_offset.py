"""The gradient at a random place near the parameters (Summers 2021, appendix B.4)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import ascents
from nfnets_am.optim import sam

_ROWS = sam.RowsOfDevice(4, 1, 'image_major', 1)


def _cubic(params, batch):
  """The gradient of the sum of w^3, and where it was taken."""
  return jax.tree.map(lambda w: 3 * w ** 2 * batch, params), params


def test_the_mean_gradient_is_that_of_the_smoothed_loss():
  params = {'a': {'w': jnp.array([2.0, -1.0])}, 'b': {'w': jnp.array([10.0])}}
  rule = ascents.ASCENTS.make('random_offset', _ROWS, deviation=0.5, relative=False)
  draws = jax.vmap(lambda key: rule(_cubic, params, 2.0, key, None)[0])(
      jax.random.split(jax.random.key(0), 40_000))
  # E[3 (w + e)^2] = 3 (w^2 + 0.25); the second derivative is what an update feels.
  for module, w in (('a', params['a']['w']), ('b', params['b']['w'])):
    np.testing.assert_allclose(
        draws[module]['w'].mean(0), 6 * (np.float64(w) ** 2 + 0.25), rtol=0.02)


def test_relative_noise_has_the_size_of_each_array():
  params = {'m': {'w': jnp.full(20_000, 3.0), 'offset': jnp.zeros(7),
                  'b': jnp.tile(jnp.array([0.1, -0.1]), 10_000)}}
  rule = ascents.ASCENTS.make('random_offset', _ROWS, deviation=0.01)
  _, at = rule(_cubic, params, 1.0, jax.random.key(1), None)
  for name, size in (('w', 3.0), ('b', 0.1), ('offset', 0.0)):
    noise = np.float64(at['m'][name]) - np.float64(params['m'][name])
    np.testing.assert_allclose(noise.std(), 0.01 * size, rtol=0.03)
  noise = [at['m'][name] - params['m'][name] for name in ('w', 'b')]
  assert abs(np.corrcoef(*noise)[0, 1]) < 0.05


def test_a_key_is_a_place():
  params = {'m': {'w': jnp.arange(5.0)}}
  rule = ascents.ASCENTS.make('random_offset', _ROWS, deviation=0.1)
  place = lambda seed: np.asarray(
      rule(_cubic, params, 1.0, jax.random.key(seed), None)[1]['m']['w'])
  np.testing.assert_array_equal(place(1), place(1))
  assert (place(1) != place(2)).all()


@pytest.mark.parametrize('deviation', [0.0, -1.0, float('nan'), 'much'])
def test_no_size_of_noise_is_refused(deviation):
  with pytest.raises(errors.ConfigError, match=r'ascent\.deviation=.*allowed: a number over 0'):
    ascents.ASCENTS.make('random_offset', _ROWS, deviation=deviation)
