"""The average as TensorFlow 1 warmed it up."""

import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.optim import ema


@pytest.mark.parametrize('update, expected', [
    (0, .1), (1, .181818), (10, .55), (100, .918182), (112_602, .99992008), (2_000_000, .99999)])
def test_decay(update, expected):
  np.testing.assert_allclose(ema.decay_at(update, 0.99999), expected, rtol=3e-7, atol=4e-7)


def test_the_cap_is_reached_after_899991_updates():
  assert ema.decay_at(800_000, 0.99999) < np.float32(0.99999)
  assert ema.decay_at(899_991, 0.99999) == np.float32(0.99999)


def test_from_zero_towards_ones():
  average, ones = {'m': {'w': jnp.zeros(3)}}, {'m': {'w': jnp.ones(3)}}
  for update, expected in enumerate([.9, .981818, .995455]):
    average = ema.update_ema(average, ones, update, 0.99999)
    np.testing.assert_allclose(average['m']['w'], [expected] * 3, rtol=1e-6)


def test_starts_at_the_parameters_in_buffers_of_its_own():
  params = {'m': {'w': jnp.arange(3.), 'v': jnp.ones(2, jnp.bfloat16)}}
  average = ema.init_ema(params)
  np.testing.assert_array_equal(average['m']['w'], params['m']['w'])
  assert average['m']['v'].dtype == jnp.float32
  assert (average['m']['w'].unsafe_buffer_pointer() != params['m']['w'].unsafe_buffer_pointer())


@pytest.mark.parametrize('decay', [0.5, 0.99])
def test_against_a_naive_loop(decay):
  rng = np.random.default_rng(0)
  expected = rng.standard_normal(4)
  average = {'m': {'w': jnp.asarray(expected, jnp.float32)}}
  for update in range(20):
    w = rng.standard_normal(4)
    d = min(decay, (1 + update) / (10 + update))
    expected = d * expected + (1 - d) * w
    average = ema.update_ema(average, {'m': {'w': jnp.asarray(w, jnp.float32)}}, update, decay)
  assert average['m']['w'].dtype == jnp.float32
  np.testing.assert_allclose(average['m']['w'], expected, rtol=1e-5)
