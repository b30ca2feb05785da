"""The convolution with a transposed kernel of its own has JAX's values and gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.models import convolution


@pytest.mark.parametrize('side, stride, size, options', [
    (3, 1, (6, 7), ()), (3, 2, (6, 7), ()), (3, 2, (8, 8), ()), (1, 2, (7, 6), ()),
    (5, 3, (10, 11), ()), (2, 2, (5, 6), ()), (3, (2, 1), (7, 8), ('VALID',)),
    (3, 2, (8, 7), (((2, 1), (0, 3)), 2))])
def test_values_and_gradients(side, stride, size, options):
  rng = np.random.default_rng(0)
  x = jnp.float32(rng.normal(size=(2, *size, 3)))
  w = jnp.float32(rng.normal(size=(side, side, 3, 4)))
  padding, dilation = (*options, *('SAME', 1)[len(options):])
  jaxs = lambda x, w: jax.lax.conv_general_dilated(
      x, w, stride if isinstance(stride, tuple) else (stride, stride), padding,
      rhs_dilation=(dilation, dilation), dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
  expected, transposed = jax.vjp(jaxs, x, w)
  found, ours = jax.vjp(lambda x, w: convolution.conv2d(x, w, stride, *options), x, w)
  np.testing.assert_array_equal(found, expected)
  g = jnp.float32(rng.normal(size=found.shape))
  for a, b in zip(ours(g), transposed(g), strict=True):
    assert a.shape == b.shape
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_the_transposed_kernel_is_in_the_order_of_the_fast_path_within_a_loop():
  """What XLA's CPU backend does not do there itself."""
  x, w = jnp.ones((2, 8, 8, 3)), jnp.ones((3, 3, 3, 3))
  step = lambda _, x: jax.grad(lambda x: jnp.tanh(convolution.conv2d(x, w, 1)).sum())(x)
  program = jax.jit(lambda x: jax.lax.fori_loop(0, 9, step, x)).lower(x).compile().as_text()
  convolutions = [line for line in program.splitlines() if ' convolution(' in line]
  assert convolutions and all('01io' in line for line in convolutions)
