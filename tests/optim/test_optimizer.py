"""Clip, decay, momentum against hand-computed values and naive loops."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import masks
from nfnets_am.optim import optimizer
from nfnets_am.optim import schedules

# The names of an NF-ResNet and of an NFNet block, with the shapes that matter to a unit.
SHAPES = {
    'net/~/initial_conv': {'w': (3, 3, 3, 8), 'b': (8,), 'gain': (8,)},
    'net/~/block/~/conv0': {'w': (1, 1, 8, 16), 'b': (16,), 'gain': (16,)},
    'net/~/block': {'skip_gain': ()},
    'net/~/block/~/squeeze_excite/linear': {'w': (16, 4), 'b': (4,)},
    'net/~/batch_norm': {'scale': (8,), 'offset': (8,)},
    'net/~/linear': {'w': (16, 5), 'b': (5,)},
}


def draw(seed, scale=1.0):
  rng = np.random.default_rng(seed)
  return {m: {n: jnp.asarray(scale * rng.standard_normal(shape), jnp.float32)
              for n, shape in weights.items()} for m, weights in SHAPES.items()}


def direction(params, grads, **kwargs):
  """What the optimiser subtracts at learning rate 1, without momentum."""
  opt = optimizer.make_optimizer(schedules.constant(1.0, 1), momentum=0.0, **kwargs)
  updates, _ = opt.update(grads, opt.init(params), params)
  return jax.tree.map(lambda u: -u, updates)


def one(w, module='net/conv'):
  return {module: {'w': jnp.asarray(w, jnp.float32)}}


def test_agc_clips_columns():
  got = direction(one([[3, 0], [4, 0]]), one([[.6, .6], [.8, .8]]), agc_clip=0.01)
  np.testing.assert_allclose(got['net/conv']['w'], [[.03, 6e-6], [.04, 8e-6]], rtol=1e-5)


def test_agc_clips_a_vector_as_a_whole_and_lets_zeros_move():
  got = direction({'net/conv': {'b': jnp.zeros(2)}, 'net': {'skip_gain': jnp.zeros(())}},
                  {'net/conv': {'b': jnp.array([3., 4.])}, 'net': {'skip_gain': jnp.ones(())}},
                  agc_clip=0.01)
  np.testing.assert_allclose(got['net/conv']['b'], [6e-6, 8e-6], rtol=1e-5)
  np.testing.assert_allclose(got['net']['skip_gain'], 1e-5, rtol=1e-5)


def naive_agc(module, name, w, g, clip, eps):
  """One unit at a time, in float64."""
  if module == 'net/~/linear' and name == 'w':
    return g
  w, g = np.asarray(w, np.float64), np.array(g, np.float64)
  if g.ndim < 2:
    units = [...]
  else:
    units = [(..., channel) for channel in range(g.shape[-1])]
  for unit in units:
    limit = clip * max(np.sqrt(np.sum(w[unit] ** 2)), eps)
    norm = np.sqrt(np.sum(g[unit] ** 2))
    if norm > limit:
      g[unit] *= limit / max(norm, 1e-6)
  return g


@pytest.mark.parametrize('scale', [0.03, 1.0])
def test_agc_against_a_naive_loop(scale):
  params, grads = draw(0), draw(1, scale)
  got = direction(params, grads, agc_clip=0.02, agc_eps=1e-3)
  clipped = 0
  for module, weights in params.items():
    for name, w in weights.items():
      expected = naive_agc(module, name, w, grads[module][name], 0.02, 1e-3)
      clipped += not np.array_equal(expected, grads[module][name])
      np.testing.assert_allclose(got[module][name], expected, rtol=1e-5, err_msg=f'{module} {name}')
  assert clipped > 3


def test_agc_returns_what_is_below_the_limit_bit_for_bit():
  params, grads = draw(0), draw(1, 1e-5)
  got = direction(params, grads, agc_clip=0.01)
  jax.tree.map(np.testing.assert_array_equal, got, grads)


def test_agc_of_agc_is_agc():
  params, grads = draw(0), draw(1, 10.0)
  once = direction(params, grads, agc_clip=0.01)
  twice = direction(params, once, agc_clip=0.01)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), twice, once)


def test_agc_takes_a_kernel_with_one_long_dimension_as_one_unit():
  """A trap of every published form, kept because released weights were trained with it."""
  w, g = np.ones((1, 1, 1, 16)), np.arange(16.).reshape(1, 1, 1, 16)
  got = direction(one(w), one(g), agc_clip=0.01)['net/conv']['w']
  np.testing.assert_allclose(got, g * 0.01 * 4 / np.linalg.norm(g), rtol=1e-5)


def test_decay_is_added_after_the_clip():
  got = direction(one([[3.], [4.]]), one([[.6], [.8]]), agc_clip=0.01, weight_decay=2e-5)
  np.testing.assert_allclose(got['net/conv']['w'], [[.03006], [.04008]], rtol=1e-6)


@pytest.mark.parametrize('nesterov, expected', [(True, [.791, .496871]), (False, [.89, .6821])])
def test_momentum_with_coupled_decay(nesterov, expected):
  opt = optimizer.make_optimizer(
      schedules.constant(0.1, 2), momentum=0.9, nesterov=nesterov, weight_decay=0.1)
  params, grads = one([[1.]]), one([[1.]])
  state = opt.init(params)
  for w in expected:
    updates, state = opt.update(grads, state, params)
    params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params['net/conv']['w'], w, rtol=1e-6)


def test_the_schedule_advances_with_the_updates():
  opt = optimizer.make_optimizer(schedules.halving(1.0, 2), momentum=0.0)
  params, state = one([[1.]]), None
  state = opt.init(params)
  steps = []
  for _ in range(2):
    updates, state = opt.update(one([[1.]]), state, params)
    steps.append(float(updates['net/conv']['w'][0, 0]))
  # Of 2 updates, the second is behind the boundary at 1/2 and before those at 11/20 to 19/20.
  assert steps == [-1.0, -0.5]


def test_groups_follow_the_names():
  """Gains and biases are clipped, not decayed; the last linear's weight is decayed, not clipped."""
  params = draw(0)
  decayed, clipped = masks.no_gain_bias(params), masks.not_final_linear(params)
  names = [(m, n) for m, weights in params.items() for n in weights]
  assert {(m, n) for m, n in names if decayed[m][n]} == {(m, n) for m, n in names if n == 'w'}
  assert {(m, n) for m, n in names if not clipped[m][n]} == {('net/~/linear', 'w')}
  assert jax.tree.all(masks.every_weight(params))


@pytest.mark.parametrize('mask_name', ['all', 'no_gain_bias'])
def test_the_gradient_of_the_l2_penalty_is_the_decay(mask_name):
  params, grads = draw(0), draw(1)
  penalty, slope = jax.value_and_grad(optimizer.l2_penalty)(params, mask_name)
  in_loss = jax.tree.map(lambda g, s: g + 0.25 * s, grads, slope)
  decayed = direction(params, grads, weight_decay=0.25, decay_mask=mask_name)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), in_loss, decayed)
  squares = sum(np.sum(np.square(w)) for module in params.values()
                for name, w in module.items() if mask_name == 'all' or name == 'w')
  np.testing.assert_allclose(penalty, squares / 2, rtol=1e-6)
  assert penalty.dtype == jnp.float32


def test_three_updates_against_the_published_groups():
  """Clip, + decay, buffer, Nesterov, - learning rate, written out for each weight."""
  opt = optimizer.make_optimizer(
      schedules.constant(0.5, 3), nesterov=True, weight_decay=0.1, agc_clip=0.05)
  params = draw(0)
  state = opt.init(params)
  w = jax.tree.map(np.float64, params)
  buffer = jax.tree.map(np.zeros_like, w)
  for step in range(3):
    grads = draw(step + 10)
    updates, state = opt.update(grads, state, params)
    params = optax.apply_updates(params, updates)
    for m, weights in w.items():
      for n in weights:
        g = naive_agc(m, n, w[m][n], grads[m][n], 0.05, 1e-3) + (n == 'w') * 0.1 * w[m][n]
        buffer[m][n] = 0.9 * buffer[m][n] + g
        w[m][n] = w[m][n] - 0.5 * (g + 0.9 * buffer[m][n])
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), params, w)


def test_refusals_name_what_is_allowed():
  with pytest.raises(errors.ConfigError, match='no_gain_bias'):
    optimizer.make_optimizer(schedules.constant(0.1, 1), decay_mask='no_gains')
  with pytest.raises(errors.ConfigError, match='momentum'):
    optimizer.make_optimizer(schedules.constant(0.1, 1), momentum=0.0, nesterov=True)
