"""The average as TensorFlow 1 warmed it up."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
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


def test_integers_of_a_state_are_copied_and_floats_averaged():
  """Parameters and state together, of other dtypes and in tuples, as a model has them."""
  tree = ({'m': {'w': jnp.zeros(2)}},
          {'norm': {'mean': jnp.zeros(2, jnp.bfloat16), 'count': jnp.int32(3)},
           'flags': jnp.array([True, False])})
  average = ema.init_ema(tree)
  assert [x.dtype for x in jax.tree.leaves(average)] == [
      jnp.float32, jnp.bool_, jnp.int32, jnp.float32]
  after = ({'m': {'w': jnp.ones(2)}},
           {'norm': {'mean': jnp.full(2, 2, jnp.bfloat16), 'count': jnp.int32(4)},
            'flags': jnp.array([False, False])})
  got = ema.update_ema(average, after, 0, 0.99999)
  np.testing.assert_allclose(got[0]['m']['w'], [.9, .9], rtol=1e-6)
  np.testing.assert_allclose(got[1]['norm']['mean'], [1.8, 1.8], rtol=1e-6)
  assert got[1]['norm']['mean'].dtype == jnp.float32
  assert got[1]['norm']['count'] == 4
  assert got[1]['norm']['count'].dtype == jnp.int32
  np.testing.assert_array_equal(got[1]['flags'], [False, False])


def test_a_copied_integer_may_be_donated_with_what_it_was_copied_from():
  tree = {'count': jnp.int32(1), 'mean': jnp.ones(2)}
  step = jax.jit(lambda tree, average: (tree, ema.update_ema(average, tree, 0, 0.9)),
                 donate_argnums=(0, 1))
  average = ema.init_ema(tree)
  for _ in range(3):
    tree, average = step(tree, average)
  assert average['count'] == tree['count'] == 1


def test_the_same_bits_as_one_call_over_the_whole_tree():
  """What Fort's experiments were averaged with, written out as it was."""
  rng = np.random.default_rng(1)
  tree, average = ({'m': {n: jnp.asarray(rng.standard_normal(5), jnp.float32) for n in 'ab'}}
                   for _ in range(2))
  before = jax.jit(lambda a, p, t: optax.incremental_update(p, a, 1 - ema.decay_at(t, 0.99)))
  now = jax.jit(lambda a, p, t: ema.update_ema(a, p, t, 0.99))
  for t in [0, 7, 5000]:
    jax.tree.map(np.testing.assert_array_equal, now(average, tree, t), before(average, tree, t))
