"""The gradient of max-pooling on this device is to the bit that of XLA's own operations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.models import max_pooling

# Of images [2, 7, 6, 3]: window, strides, padding. Windows overlap, touch, leave gaps, and end
# before the image does.
_CASES = {
    'overlapping': ((1, 3, 3, 1), (1, 2, 2, 1), ((0, 0), (1, 1), (1, 1), (0, 0))),
    'same': ((1, 3, 3, 1), (1, 2, 2, 1), 'SAME'),
    'dense': ((1, 3, 2, 1), (1, 1, 1, 1), 'SAME'),
    'touching': ((1, 2, 2, 1), (1, 2, 2, 1), 'VALID'),
    'apart': ((1, 2, 1, 1), (1, 3, 2, 1), ((0, 0), (0, 0), (0, 0), (0, 0))),
}


def _gradients(pool, dtype):
  rng = np.random.default_rng(0)
  # Few values, so that most windows hold their greatest several times.
  x = jnp.asarray(rng.integers(-2, 3, (2, 7, 6, 3)), dtype)
  found = {}
  for name, case in _CASES.items():
    out, pull = jax.vjp(lambda x, case=case: pool(x, *case), x)
    found[name] = out, *pull(jnp.asarray(rng.normal(size=out.shape), dtype))
  return found


@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
def test_values_and_gradients_are_those_of_xla(dtype):
  own = jax.jit(lambda: _gradients(max_pooling.max_pool, dtype))()
  other = jax.jit(lambda: _gradients(
      lambda x, *case: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, *case), dtype))()
  jax.tree.map(np.testing.assert_array_equal, own, other)


def test_a_gradient_is_lost_nowhere_though_maps_are_computed_again():
  # XLA makes the pool and its gradient from two readings of these maps, which it may round apart.
  def loss(weights, pool):
    maps = jnp.maximum(jnp.einsum('bhwc,cd->bhwd', images, weights), 0) * scale + 0.3 * images
    return jnp.square(pool(maps - maps.mean((0, 1, 2)), *_CASES['touching'])).sum()

  images = jax.random.normal(jax.random.key(0), (4, 33, 32, 4))
  weights = jax.random.normal(jax.random.key(1), (4, 4))
  scale = jax.random.normal(jax.random.key(2), (4,))
  own, other = (jax.jit(jax.grad(loss), static_argnums=1)(weights, pool) for pool in (
      max_pooling.max_pool,
      lambda x, *case: jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, *case)))
  np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-3 * np.abs(other).max())


def test_all_other_devices_have_the_operations_of_xla():
  window = (1, 3, 3, 1), (1, 2, 2, 1), 'SAME'
  step = jax.jit(jax.grad(lambda x: jnp.sin(max_pooling.max_pool(x, *window)).sum()))
  traced = step.trace(jnp.ones((1, 6, 6, 2)))
  for platform, count in (('tpu', 1), ('cuda', 1), ('cpu', 0)):
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert text.count('"stablehlo.select_and_scatter"') == count
