"""Layers: of the normaliser-free nets (pitfalls P28 to P30), pools, first biases."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.models import layers
from nfnets_am.models import standardisation


def test_standardised_weights_have_zero_mean_and_unit_norm():
  w = jax.random.normal(jax.random.key(0), (3, 3, 8, 5)) * 3 + 0.2
  for gain, norm in ((1.0, 1.0), (2.0, 4.0)):
    out = standardisation.standardise(w, jnp.full(5, gain))
    np.testing.assert_allclose(out.mean((0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose((out ** 2).sum((0, 1, 2)), norm, rtol=1e-5)


def test_standardisation_equals_the_definition():
  w = np.asarray(jax.random.normal(jax.random.key(1), (3, 3, 4, 6)), np.float64)
  gain = np.linspace(0.5, 2, 6)
  fan_in = 36
  expected = gain * (w - w.mean((0, 1, 2))) / np.sqrt(
      np.maximum(w.var((0, 1, 2)) * fan_in, 1e-4))
  np.testing.assert_allclose(
      standardisation.standardise(jnp.float32(w), jnp.float32(gain)), expected, rtol=1e-4,
      atol=1e-6)


def test_constant_weights_become_zero_and_not_nan():
  out = standardisation.standardise(jnp.full((3, 3, 4, 2), 0.7), jnp.ones(2))
  np.testing.assert_allclose(out, 0, atol=1e-4)


@pytest.mark.parametrize('make', [
    lambda: layers.WSConv2D(4, 1, name='conv'), lambda: layers.Conv2D(4, 1, name='conv')])
def test_a_scale_in_the_weights_is_one_of_the_output(make):
  def loss(scaled):
    def forward(x, scale):
      conv = make()
      y = conv(x, scale=scale) if scaled else scale * conv(x)
      return (y * jnp.cos(jnp.arange(y.size).reshape(y.shape))).sum()
    return hk.without_apply_rng(hk.transform(forward))

  x, scale = jax.random.normal(jax.random.key(0), (2, 3, 3, 5)), jnp.float32(-0.3)
  params = jax.tree.map(lambda w: w + 0.1, loss(False).init(jax.random.key(1), x, scale))
  got, expected = (jax.value_and_grad(loss(scaled).apply, (0, 1, 2))(params, x, scale)
                   for scaled in (True, False))
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), got, expected)


def test_a_bias_behind_a_max_pool_changes_no_output_and_no_gradient():
  def pool(x):
    return layers.max_pool(x, 2, 2)

  def loss(inside):
    def forward(x):
      conv = layers.WSConv2D(4, 1, name='conv')
      y = conv(x, pool=pool) if inside else pool(conv(x))
      return (y * jnp.cos(jnp.arange(y.size).reshape(y.shape))).sum(), y
    return hk.without_apply_rng(hk.transform(forward))

  x = jax.random.normal(jax.random.key(0), (2, 4, 4, 5))
  params = jax.tree.map(lambda w: w + 0.1, loss(False).init(jax.random.key(1), x))
  got, expected = (jax.value_and_grad(loss(inside).apply, (0, 1), has_aux=True)(params, x)
                   for inside in (True, False))
  np.testing.assert_array_equal(got[0][1], expected[0][1])
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
               got[1], expected[1])


def test_betas_of_an_nf_resnet_50():
  expected = [1, .98058, .96225, .94491, .98058, .96225, .94491, .92848, .98058, .96225, .94491,
              .92848, .91287, .89803, .98058, .96225]
  np.testing.assert_allclose(layers.signal_betas((3, 4, 6, 3), 0.2), expected, atol=1e-5)


@pytest.mark.parametrize('name', ['relu', 'gelu'])
def test_scaled_activations_give_unit_variance(name):
  x = jax.random.normal(jax.random.key(0), (400_000,))
  assert float(layers.ACTIVATIONS[name](x).var()) == pytest.approx(1, abs=0.02)


def test_stochastic_depth_drops_whole_examples_and_scales_nothing():
  drop = hk.transform(lambda x, is_training: layers.stochastic_depth(x, 0.25, is_training))
  x = jnp.ones((4000, 2, 2, 3))
  out = np.asarray(drop.apply({}, jax.random.key(0), x, True))
  assert set(np.unique(out)) == {0.0, 1.0}
  np.testing.assert_array_equal(out, np.broadcast_to(out[:, :1, :1, :1], out.shape))
  assert out.mean() == pytest.approx(0.75, abs=0.03)
  np.testing.assert_array_equal(drop.apply({}, None, x, False), x)


def test_squeeze_excite_gates_each_channel_of_each_example():
  gates = hk.without_apply_rng(hk.transform(lambda means: layers.SqueezeExcite(6, 3)(means)))
  means = jax.random.normal(jax.random.key(0), (2, 1, 1, 6))
  params = gates.init(jax.random.key(1), means)
  out = gates.apply(params, means)
  assert out.shape == (2, 1, 1, 6) and ((out > 0) & (out < 1)).all()
  np.testing.assert_allclose(gates.apply(params, means[1:]), out[1:], rtol=1e-5)


@pytest.mark.parametrize('window, stride, pad', [(3, 2, 1), (2, 2, 0), ((5, 2), 3, 0)])
def test_pools_take_what_there_is_of_the_image(window, stride, pad):
  x = np.random.default_rng(0).normal(size=(2, 7, 6, 3)).astype(np.float32) - 5
  height, width = window if isinstance(window, tuple) else (window, window)
  largest, mean = (pool(x, window, stride, pad) for pool in (layers.max_pool, layers.average_pool))
  assert largest.shape == mean.shape == (
      2, (7 + 2 * pad - height) // stride + 1, (6 + 2 * pad - width) // stride + 1, 3)
  for i, j in np.ndindex(largest.shape[1:3]):
    top, left = i * stride - pad, j * stride - pad
    seen = x[:, max(top, 0):top + height, max(left, 0):left + width]
    np.testing.assert_array_equal(largest[:, i, j], seen.max((1, 2)))
    np.testing.assert_allclose(mean[:, i, j], seen.mean((1, 2)), rtol=1e-5)


def test_padding_around_keeps_the_size():
  assert layers.around(3) == ((1, 1), (1, 1)) and layers.around((1, 7)) == ((0, 0), (3, 3))
  assert layers.around(1) == ((0, 0), (0, 0)) and layers.around(3, 2) == ((2, 2), (2, 2))
