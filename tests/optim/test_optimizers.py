"""Optimisers against hand-computed values, naive float64 loops and the chain of before."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nfnets_am.core import errors
from nfnets_am.optim import clips
from nfnets_am.optim import masks
from nfnets_am.optim import optimizers
from nfnets_am.optim.schedules import SCHEDULES
from tests.optim import weights
from tests.optim.weights import falling
from tests.optim.weights import run


def naive(rule, steps=5):
  """What `run` gives with rule(t, rate, w, g, memory, name) -> w, in float64, array by array."""
  params = {}
  for module, name in weights.NAMES:
    w, memory = np.float64(weights.draw(0)[module][name]), {}
    for t in range(steps):
      g = np.float64(weights.draw(t + 10)[module][name])
      w = rule(t, falling(t), w, g, memory, name)
    params.setdefault(module, {})[name] = w
  return params


def same(got, expected, rtol=2e-5):
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=rtol, atol=2e-6), got, expected)


@pytest.mark.parametrize('nesterov, expected', [(True, [.791, .496871]), (False, [.89, .6821])])
def test_momentum_with_coupled_decay(nesterov, expected):
  opt = optimizers.OPTIMIZERS.make(
      'sgd', SCHEDULES.make('constant', 0.1, 2), nesterov=nesterov, weight_decay=0.1)
  params, grads = weights.one([[1.]]), weights.one([[1.]])
  state = opt.init(params)
  for w in expected:
    updates, state = opt.update(grads, state, params)
    params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params['net/conv']['w'], w, rtol=1e-6)


def test_the_schedule_advances_with_the_updates():
  opt = optimizers.OPTIMIZERS.make('sgd', SCHEDULES.make('halving', 1.0, 2), momentum=0.0)
  params = weights.one([[1.]])
  state = opt.init(params)
  steps = []
  for _ in range(2):
    updates, state = opt.update(weights.one([[1.]]), state, params)
    steps.append(float(updates['net/conv']['w'][0, 0]))
  # Of 2 updates, the second is behind the boundary at 1/2 and before those at 11/20 to 19/20.
  assert steps == [-1.0, -0.5]


def test_decay_is_added_after_the_clip():
  opt = optax.chain(
      clips.CLIPS.make('agc', weights.HEAD, clip=0.01),
      optimizers.OPTIMIZERS.make(
          'sgd', SCHEDULES.make('constant', 1.0, 1), momentum=0.0, weight_decay=2e-5))
  head = weights.one([[0.]], weights.HEAD)
  params = head | weights.one([[3.], [4.]])
  updates, _ = opt.update(head | weights.one([[.6], [.8]]), opt.init(params), params)
  np.testing.assert_allclose(-updates['net/conv']['w'], [[.03006], [.04008]], rtol=1e-6)


def test_three_updates_against_the_published_groups():
  """Clip, + decay, buffer, Nesterov, - learning rate, written out for each weight."""
  opt = optax.chain(
      clips.CLIPS.make('agc', weights.HEAD, clip=0.05),
      optimizers.OPTIMIZERS.make('sgd', falling, nesterov=True, weight_decay=0.1,
                                 decay_mask='no_gain_bias'))
  w = jax.tree.map(np.float64, weights.draw(0))
  buffer = jax.tree.map(np.zeros_like, w)
  for step in range(3):
    grads = weights.draw(step + 10)
    for m, n in weights.NAMES:
      g = weights.naive_agc(m, n, w[m][n], grads[m][n], 0.05, 1e-3) + (n == 'w') * 0.1 * w[m][n]
      buffer[m][n] = 0.9 * buffer[m][n] + g
      w[m][n] = w[m][n] - falling(step) * (g + 0.9 * buffer[m][n])
  same(run(opt, steps=3), w)


@pytest.mark.parametrize('kwargs', [
    {'momentum': 0.9, 'nesterov': True, 'weight_decay': 2e-5, 'decay_mask': 'no_gain_bias'},
    {'momentum': 0.9, 'nesterov': False, 'weight_decay': 5e-4, 'decay_mask': 'all'},
    {'momentum': 0.0, 'nesterov': False, 'weight_decay': 0.0, 'decay_mask': 'all'}])
@pytest.mark.parametrize('agc', [0.0, 0.02])
def test_sgd_is_the_chain_of_fort_bit_for_bit(kwargs, agc):
  """What Fort's experiments were computed with, written out as it was."""
  schedule = SCHEDULES.make('warmup_cosine', 0.3, 8, warmup=2.5)
  links = []
  if agc:
    links.append(optax.masked(
        optax.adaptive_grad_clip(agc, eps=1e-3),
        {m: {n: (m, n) != (weights.HEAD, 'w') for n in names}
         for m, names in weights.SHAPES.items()}))
  if kwargs['weight_decay']:
    everything = kwargs['decay_mask'] == 'all'
    links.append(optax.add_decayed_weights(
        kwargs['weight_decay'],
        mask={m: {n: everything or n == 'w' for n in names}
              for m, names in weights.SHAPES.items()}))
  links.append(optax.sgd(schedule, momentum=kwargs['momentum'] or None,
                         nesterov=kwargs['nesterov']))
  before = run(optax.chain(*links))

  clip = (clips.CLIPS.make('agc', weights.HEAD, clip=agc) if agc
          else clips.CLIPS.make('none', weights.HEAD))
  now = run(optax.chain(clip, optimizers.OPTIMIZERS.make('sgd', schedule, **kwargs)))
  jax.tree.map(np.testing.assert_array_equal, now, before)
  assert not np.array_equal(now[weights.HEAD]['w'], weights.draw(0)[weights.HEAD]['w'])


def decayed(name, mask):
  return mask == 'all' or name == 'w'


@pytest.mark.parametrize('mask', ['all', 'kernels'])
@pytest.mark.parametrize('decay', [0.0, 0.1])
def test_adam_against_torchs_formula(mask, decay):
  def rule(t, rate, w, g, memory, name):
    g = g + decay * decayed(name, mask) * w
    m = memory['m'] = 0.8 * memory.get('m', 0.0) + 0.2 * g
    v = memory['v'] = 0.95 * memory.get('v', 0.0) + 0.05 * g ** 2
    return w - rate * (m / (1 - 0.8 ** (t + 1))) / (np.sqrt(v / (1 - 0.95 ** (t + 1))) + 1e-3)

  mask_key = {'decay_mask': mask} if decay else {}
  opt = optimizers.OPTIMIZERS.make(
      'adam', falling, b1=0.8, b2=0.95, eps=1e-3, weight_decay=decay, **mask_key)
  same(run(opt), naive(rule))


@pytest.mark.parametrize('mask', ['all', 'kernels'])
def test_adamw_decays_past_the_moments(mask):
  def rule(t, rate, w, g, memory, name):
    m = memory['m'] = 0.9 * memory.get('m', 0.0) + 0.1 * g
    v = memory['v'] = 0.95 * memory.get('v', 0.0) + 0.05 * g ** 2
    step = (m / (1 - 0.9 ** (t + 1))) / (np.sqrt(v / (1 - 0.95 ** (t + 1))) + 1e-8)
    return w - rate * (step + 0.3 * decayed(name, mask) * w)

  opt = optimizers.OPTIMIZERS.make('adamw', falling, b2=0.95, weight_decay=0.3, decay_mask=mask)
  same(run(opt), naive(rule))


@pytest.mark.parametrize('decay', [0.0, 0.1])
@pytest.mark.parametrize('momentum', [0.0, 0.9])
def test_rmsprop_as_tensorflow_1(momentum, decay):
  def rule(t, rate, w, g, memory, name):
    g = g + decay * w
    v = memory['v'] = 0.7 * memory.get('v', 1.0) + 0.3 * g ** 2
    step = memory['step'] = momentum * memory.get('step', 0.0) + rate * g / np.sqrt(v + 0.01)
    return w - step

  opt = optimizers.OPTIMIZERS.make(
      'rmsprop', falling, decay=0.7, eps=0.01, momentum=momentum, weight_decay=decay)
  same(run(opt), naive(rule))


@pytest.mark.parametrize('momentum', [0.0, 0.9])
def test_rmsprop_as_torch(momentum):
  def rule(t, rate, w, g, memory, name):
    v = memory['v'] = 0.7 * memory.get('v', 0.0) + 0.3 * g ** 2
    buffer = memory['buffer'] = momentum * memory.get('buffer', 0.0) + g / (np.sqrt(v) + 0.01)
    return w - rate * buffer

  opt = optimizers.OPTIMIZERS.make(
      'rmsprop', falling, decay=0.7, eps=0.01, momentum=momentum, form='torch')
  same(run(opt), naive(rule))


@pytest.mark.parametrize('until, decaying', [(2.0, 2), (1.5, 2), (3 * 0.1 * 10, 3), (99.0, 5)])
def test_decay_ends_where_it_is_told_to(until, decaying):
  def rule(t, rate, w, g, memory, name):
    g = g + (0.1 * w if t < decaying else 0.0)
    buffer = memory['buffer'] = 0.9 * memory.get('buffer', 0.0) + g
    return w - rate * buffer

  opt = optimizers.OPTIMIZERS.make('sgd', falling, weight_decay=0.1, decay_until=until)
  same(run(opt), naive(rule))


def test_a_mask_that_names_nothing_is_refused():
  for kwargs in [{'rates': 'norm_scale(times=0.1)'},
                 {'weight_decay': 0.1, 'decay_mask': 'norm_scale'}]:
    opt = optimizers.OPTIMIZERS.make('sgd', falling, **kwargs)
    with pytest.raises(errors.ConfigError, match="mask 'norm_scale' names no parameter"):
      opt.init(weights.one([[1.]]))


@pytest.mark.parametrize('name, kwargs, sentence', [
    ('sgd', {'momentum': 1.0}, r'optimizer\.momentum=1.0; allowed: 0 to less than 1'),
    ('sgd', {'momentum': -0.1}, r'optimizer\.momentum=-0.1'),
    ('sgd', {'momentum': math.nan}, r'optimizer\.momentum=nan'),
    ('sgd', {'momentum': '0.9'}, r"optimizer\.momentum='0.9'"),
    ('sgd', {'momentum': 0.0, 'nesterov': True}, 'nesterov=True with .*momentum=0; allowed'),
    ('sgd', {'weight_decay': -1e-4}, r'optimizer\.weight_decay=-0.0001'),
    ('sgd', {'weight_decay': math.inf}, r'optimizer\.weight_decay=inf'),
    ('sgd', {'decay_mask': 'kernels'}, 'decay_mask=.kernels. is without effect'),
    ('sgd', {'decay_until': 5.0}, 'decay_until=5.0 is without effect'),
    ('sgd', {'weight_decay': 0.1, 'decay_until': 0.0}, r'optimizer\.decay_until=0.0'),
    ('sgd', {'weight_decay': 0.1, 'decay_mask': 'no_gains'}, 'no_gain_bias'),
    ('sgd', {'b1': 0.9}, "optimizer 'sgd' has no key 'b1'"),
    ('adam', {'b1': 1.0}, r'optimizer\.b1=1.0'),
    ('adam', {'b2': -0.1}, r'optimizer\.b2=-0.1'),
    ('adam', {'eps': 0.0}, r'optimizer\.eps=0.0; allowed: a number over 0'),
    ('adamw', {'weight_decay': 0.0, 'decay_mask': 'kernels'}, 'without effect'),
    ('rmsprop', {'decay': 1.0}, r'optimizer\.decay=1.0'),
    ('rmsprop', {'eps': 0.0}, r'optimizer\.eps=0.0'),
    ('rmsprop', {'momentum': 1.5}, r'optimizer\.momentum=1.5'),
    ('rmsprop', {'form': 'pytorch'}, "unknown form of rmsprop 'pytorch'.*: tensorflow, torch"),
    ('adm', {}, "unknown optimizer 'adm'.*allowed: adam, adamw, nt_asgd, rmsprop, sgd"),
])
def test_refusals_name_what_is_allowed(name, kwargs, sentence):
  with pytest.raises(errors.ConfigError, match=sentence) as caught:
    optimizers.OPTIMIZERS.make(name, falling, **kwargs)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('mask', list(masks.MASKS))
def test_every_mask_decays_what_it_names_alone(mask):
  opt = optimizers.OPTIMIZERS.make(
      'sgd', lambda t: 1.0, momentum=0.0, weight_decay=0.5, decay_mask=mask)
  params = weights.draw(0)
  updates, _ = opt.update(jax.tree.map(jnp.zeros_like, params), opt.init(params), params)
  named = masks.named(mask, params)
  for m, n in weights.NAMES:
    np.testing.assert_array_equal(updates[m][n], -0.5 * params[m][n] * named[m][n])
