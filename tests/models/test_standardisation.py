"""Scaled weight standardisation against float64."""

import jax
from jax import test_util
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.models import standardisation


def naive(w, gain):
  out = np.zeros(w.shape)
  for channel in range(w.shape[-1]):
    unit = w[..., channel].astype(np.float64)
    out[..., channel] = gain[channel] * (unit - unit.mean()) / np.sqrt(
        max(unit.var() * unit.size, 1e-4))
  return out


@pytest.mark.parametrize('shape', [(3, 3, 16, 8), (1, 1, 64, 8)])
@pytest.mark.parametrize('mean', [0.0, 0.1, 3.0])
def test_every_channel_against_float64(shape, mean):
  """Means of up to 3 deviations, far above trained ones, leave five digits."""
  rng = np.random.default_rng(0)
  w = (rng.standard_normal(shape) + mean).astype(np.float32)
  gain = rng.standard_normal(8).astype(np.float32)
  got = standardisation.standardise(jnp.asarray(w), jnp.asarray(gain))
  np.testing.assert_allclose(got, naive(w, gain), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('gain, sum_of_squares', [(1.0, 1.0), (2.0, 4.0)])
def test_unit_norm_times_gain(gain, sum_of_squares):
  w = jax.random.normal(jax.random.key(0), (3, 3, 16, 8))
  got = standardisation.standardise(w, jnp.full(8, gain))
  np.testing.assert_allclose(jnp.square(got).sum((0, 1, 2)), sum_of_squares, rtol=1e-5)
  np.testing.assert_allclose(got.mean((0, 1, 2)), 0, atol=1e-7)


@pytest.mark.parametrize('value', [0.0, 0.7, -5.0])
def test_constant_weights_are_zero_not_nan(value):
  w = jnp.full((3, 3, 16, 8), value)
  got, pull = jax.vjp(standardisation.standardise, w, jnp.ones(8))
  np.testing.assert_allclose(got, 0, atol=1e-4)
  assert all(np.isfinite(g).all() for g in pull(jnp.ones_like(got)))


def test_the_gradient_against_finite_differences():
  w = jax.random.normal(jax.random.key(0), (3, 3, 4, 2)) + 0.2
  gain = jnp.array([0.5, 2.0])
  test_util.check_grads(standardisation.standardise, (w, gain), order=1, modes=['rev'], eps=1e-2,
                            atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize('shape', [(3, 3, 16, 8), (1, 1, 64, 8)])
def test_the_gradient_is_that_of_the_definition(shape):
  """In float64, by JAX; two channels vary too little to be divided by it, one not at all."""
  rng = np.random.default_rng(0)
  w, g = (rng.standard_normal(shape).astype(np.float32) for _ in range(2))
  w[..., 0], w[..., 1] = 0, 1e-4 * w[..., 1]
  gain = rng.standard_normal(8).astype(np.float32)
  found = jax.jit(lambda *args: jax.vjp(standardisation.standardise, *args[:2])[1](args[2]))(
      w, gain, g)

  def definition(w, gain):
    away = w - w.mean((0, 1, 2))
    return gain * away / jnp.sqrt(jnp.maximum(jnp.square(away).sum((0, 1, 2)), 1e-4))

  with jax.enable_x64(True):
    expected = jax.vjp(definition, *(jnp.float64(x) for x in (w, gain)))[1](jnp.float64(g))
  for own, other in zip(found, expected, strict=True):
    assert own.dtype == jnp.float32
    np.testing.assert_allclose(own, other, rtol=1e-4, atol=1e-5 * np.abs(other).max())
