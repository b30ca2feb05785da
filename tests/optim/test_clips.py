"""Clips against hand-computed values and naive loops."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import clips
from tests.optim import weights


def clipped(params, grads, name='agc', **kwargs):
  """Clips; adds a head where the parameters have none."""
  head = {weights.HEAD: {'w': jnp.zeros((1, 1))}}
  params, grads = head | params, head | grads
  clip = clips.CLIPS.make(name, weights.HEAD, **kwargs)
  updates, _ = clip.update(grads, clip.init(params), params)
  return updates


def test_agc_clips_columns():
  got = clipped(weights.one([[3, 0], [4, 0]]), weights.one([[.6, .6], [.8, .8]]), clip=0.01)
  np.testing.assert_allclose(got['net/conv']['w'], [[.03, 6e-6], [.04, 8e-6]], rtol=1e-5)


def test_agc_clips_a_vector_as_a_whole_and_lets_zeros_move():
  got = clipped({'net/conv': {'b': jnp.zeros(2)}, 'net': {'skip_gain': jnp.zeros(())}},
                {'net/conv': {'b': jnp.array([3., 4.])}, 'net': {'skip_gain': jnp.ones(())}},
                clip=0.01)
  np.testing.assert_allclose(got['net/conv']['b'], [6e-6, 8e-6], rtol=1e-5)
  np.testing.assert_allclose(got['net']['skip_gain'], 1e-5, rtol=1e-5)


@pytest.mark.parametrize('scale', [0.03, 1.0])
def test_agc_against_a_naive_loop(scale):
  params, grads = weights.draw(0), weights.draw(1, scale)
  got = clipped(params, grads, clip=0.02, eps=1e-3)
  changed = 0
  for module, name in weights.NAMES:
    expected = weights.naive_agc(
        module, name, params[module][name], grads[module][name], 0.02, 1e-3)
    changed += not np.array_equal(expected, grads[module][name])
    np.testing.assert_allclose(got[module][name], expected, rtol=1e-5, err_msg=f'{module} {name}')
  assert changed > 3


def test_agc_returns_what_is_below_the_limit_bit_for_bit():
  params, grads = weights.draw(0), weights.draw(1, 1e-5)
  jax.tree.map(np.testing.assert_array_equal, clipped(params, grads, clip=0.01), grads)


def test_agc_of_agc_is_agc():
  params, grads = weights.draw(0), weights.draw(1, 10.0)
  once = clipped(params, grads, clip=0.01)
  twice = clipped(params, once, clip=0.01)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), twice, once)


def test_agc_takes_a_kernel_with_one_long_dimension_as_one_unit():
  """A trap of every published form, kept because released weights were trained with it."""
  w, g = np.ones((1, 1, 1, 16)), np.arange(16.).reshape(1, 1, 1, 16)
  got = clipped(weights.one(w), weights.one(g), clip=0.01)['net/conv']['w']
  np.testing.assert_allclose(got, g * 0.01 * 4 / np.linalg.norm(g), rtol=1e-5)


def test_agc_refuses_a_head_that_the_model_does_not_have():
  clip = clips.CLIPS.make('agc', 'net/~/logits', clip=0.01)
  with pytest.raises(errors.ConfigError, match="the head 'net/~/logits'"):
    clip.init(weights.draw(0))


def naive_norm(grads):
  return math.sqrt(sum(np.sum(np.float64(g) ** 2) for g in jax.tree.leaves(grads)))


@pytest.mark.parametrize('scale', [0.01, 1.0])
def test_global_norm_against_float64(scale):
  grads = weights.draw(1, scale)
  length = naive_norm(grads)
  got = clipped(weights.draw(0), grads, 'global_norm', norm=0.5)
  if length < 0.5:
    jax.tree.map(np.testing.assert_array_equal, got, grads)
  else:
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, np.float64(b) * 0.5 / length, rtol=1e-5),
        got, grads)
  assert (length < 0.5) == (scale == 0.01)


def test_the_norm_is_one_over_all_arrays():
  grads = weights.draw(3)
  np.testing.assert_allclose(clips.norm(grads), naive_norm(grads), rtol=1e-6)
  assert clips.norm(grads).dtype == jnp.float32
  assert clips.norm(jax.tree.map(jnp.zeros_like, grads)) == 0


def test_global_norm_of_zeros_is_zero():
  grads = jax.tree.map(jnp.zeros_like, weights.draw(3))
  jax.tree.map(np.testing.assert_array_equal,
               clipped(weights.draw(0), grads, 'global_norm', norm=0.5), grads)


def test_none_keeps_the_bits_and_no_state():
  grads = weights.draw(1, 100.0)
  jax.tree.map(np.testing.assert_array_equal, clipped(weights.draw(0), grads, 'none'), grads)
  assert clips.CLIPS.make('none', '').init(weights.draw(0)) == optax.EmptyState()


@pytest.mark.parametrize('name, kwargs, sentence', [
    ('agc', {'clip': 0.0}, r'clip\.clip=0.0; allowed: a number over 0'),
    ('agc', {'clip': math.nan}, r'clip\.clip=nan'),
    ('agc', {'clip': 0.1, 'eps': -1.0}, r'clip\.eps=-1.0'),
    ('agc', {}, "needs the key 'clip'"),
    ('global_norm', {'norm': math.inf}, r'clip\.norm=inf'),
    ('global_norm', {'norm': True}, r'clip\.norm=True'),
    ('none', {'norm': 1.0}, "clip 'none' has no key 'norm'"),
])
def test_refusals(name, kwargs, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    clips.CLIPS.make(name, weights.HEAD, **kwargs)
