"""The step: what a mean over views and devices must mean (pitfalls P3, P6, P33).

Devices are played by vmap with the axis name of the real ones; test_devices.py uses real ones.
"""

import functools
import json

import haiku as hk
import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import evaluation
from nfnets_am.evaluation import evaluator
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib
from tests import commands

_SHAPE = (12, 12, 1)


def _experiment(**values):
  """Returns the same experiment for the same values, so that tests share what it compiles."""
  return _made(json.dumps(values, sort_keys=True))


@functools.cache
def _made(values):
  return _make(**json.loads(values))


def _make(*, views=8, model=None, devices=1, **values):
  config = schema.get_default()
  config.views = views
  config.budget = '10 updates'
  config.model = ml_collections.ConfigDict(model or {'name': 'wide_resnet_tiny'})
  config.optimizer.momentum = 0.0
  sections.override(config, values)
  schema.validate(config)
  derived = derived_lib.derive(config, train_images=1000, devices=devices)
  return step_lib.make_experiment(
      config, derived, facts.Facts(1000, 7, _SHAPE, config.dtype), preparation.ImagePreparation(
          ops.parse('normalise()').bind((0.5,), (0.25,)), hand_over.HandOver(), _SHAPE,
          config.dtype))


def _of_experiment(make):
  """Remembers what `make` returned for an experiment, which `_made` keeps."""
  made = {}

  def get(experiment):
    if id(experiment) not in made:
      made[id(experiment)] = make(experiment)
    return made[id(experiment)]

  return get


_SAM = {'ascent.name': 'sam', 'ascent.rho': 0.05}


def _batch(rows, seed=0):
  rng = np.random.default_rng(seed)
  return {'image': rng.integers(0, 256, (rows, *_SHAPE), dtype=np.uint8),
          'label': rng.integers(0, 7, rows).astype(np.int32), 'draws': {}}


@_of_experiment
def _update(experiment):
  return jax.jit(jax.vmap(
      experiment.train_step, in_axes=(None, None, None, 0), axis_name='data'))


def _step(experiment, state, batch, devices=1):
  """One update with the batch cut over `devices`; all devices must return the same."""
  batch = jax.tree.map(lambda x: x.reshape((devices, -1) + x.shape[1:]), batch)
  state, metrics = _update(experiment)(
      state, experiment.numbers(state.update), None, batch)
  for x in jax.tree.leaves((state, metrics)):
    np.testing.assert_array_equal(x, np.broadcast_to(x[:1], x.shape))
  return jax.tree.map(lambda x: x[0], (state, metrics))


def _named(state):
  return {jax.tree_util.keystr(path): np.asarray(x)
          for path, x in jax.tree_util.tree_leaves_with_path(state)}


@_of_experiment
def _warm(experiment):
  """A state whose skip gains have left zero, so that every weight has a gradient."""
  state = experiment.first_state()
  for k in range(2):
    state, _ = _step(experiment, state, _batch(8, seed=k))
  return state


@pytest.mark.parametrize('scheme', ['unique', 'views'])
@pytest.mark.parametrize('n', [0, 1, 4, 16])
def test_the_multiplicity_leaves_the_learning_rate_alone(scheme, n):
  values = {'views': 0, 'unique': 16} if scheme == 'unique' else {'views': 16}
  experiment = _experiment(multiplicity=n, **values, **{'schedule.peak': 0.1})
  assert float(experiment.schedule(0)) == pytest.approx(0.1)


def test_n_equal_copies_have_the_gradient_of_one():
  one, many = _experiment(views=8), _experiment(views=32)
  state = _warm(one)
  batch = _batch(8)
  copies = jax.tree.map(lambda x: np.repeat(x, 4, axis=0), batch)
  a, metrics_a = _step(one, state, batch)
  b, metrics_b = _step(many, state, copies)
  commands.assert_same(_named(a.params), _named(b.params), rtol=1e-5)
  assert float(metrics_b['loss']) == pytest.approx(float(metrics_a['loss']), rel=1e-6)
  assert any((_named(state.params)[key] != value).any() for key, value in _named(a.params).items())


@pytest.mark.parametrize('devices', [2, 8])
def test_the_mean_over_devices_is_the_mean_over_views(devices):
  experiment = _experiment()
  state, batch = _warm(experiment), _batch(8)
  a, metrics_a = _step(experiment, state, batch)
  b, metrics_b = _step(experiment, state, batch, devices=devices)
  commands.assert_same(_named(a.params), _named(b.params), rtol=1e-5)
  for key in metrics_a:
    assert float(metrics_b[key]) == pytest.approx(float(metrics_a[key]), rel=1e-5)


@pytest.mark.parametrize('parts', [2, 4])
@pytest.mark.parametrize('ascent', [{}, _SAM])
def test_micro_batches_give_the_same_update(parts, ascent):
  whole, cut = _experiment(**ascent), _experiment(accumulate=parts, **ascent)
  state, batch = _warm(whole), _batch(8)
  a, metrics_a = _step(whole, state, batch)
  b, metrics_b = _step(cut, state, batch)
  commands.assert_same(_named(a.params), _named(b.params), rtol=1e-5)
  assert float(metrics_b['loss']) == pytest.approx(float(metrics_a['loss']), rel=1e-5)


def test_l2_in_the_loss_is_coupled_decay_under_plain_sgd():
  loss = _experiment(penalty='l2(coefficient=0.01)')
  decay = _experiment(**{'optimizer.weight_decay': 0.01})
  state, batch = _warm(loss), _batch(8)
  a, metrics_a = _step(loss, state, batch)
  b, metrics_b = _step(
      decay, state._replace(opt_state=decay.optimizer(decay.schedule).init(state.params)), batch)
  commands.assert_same(_named(a.params), _named(b.params), rtol=1e-5)
  # What is reported is the cross-entropy alone.
  assert float(metrics_a['loss']) == pytest.approx(float(metrics_b['loss']), rel=1e-6)


def test_noise_differs_by_update_and_device_and_comes_back():
  experiment = _experiment(model={'name': 'wide_resnet_tiny', 'dropout': 0.5})
  state = _warm(experiment)
  batch = jax.tree.map(lambda x: np.repeat(x[:1], 8, axis=0), _batch(1))
  again = [float(_step(experiment, state, batch)[1]['loss']) for _ in range(2)]
  assert again[0] == again[1]
  later = state._replace(update=state.update + 1)
  assert float(_step(experiment, later, batch)[1]['loss']) != again[0]
  # Two devices with the same rows: with one mask on both, the loss would be that of one device.
  single = jax.tree.map(lambda x: x[:4], batch)
  assert (float(_step(experiment, state, batch, devices=2)[1]['loss'])
          != float(_step(experiment, state, single)[1]['loss']))
  other = _experiment(model={'name': 'wide_resnet_tiny', 'dropout': 0.5}, **{'seeds.noise': 1})
  commands.assert_same(_named(experiment.first_state()), _named(other.first_state()))
  assert float(_step(other, state, batch)[1]['loss']) != again[0]


def test_dropout_masks_have_the_mean_gradient_of_as_many_networks(monkeypatch):
  model = {'name': 'wide_resnet_tiny', 'dropout': 0.4}
  state = _warm(_experiment(model=model))
  rows = jax.tree.map(lambda x: x[None], _batch(8))
  key = jax.random.key(7)

  def gradient(model, key):
    monkeypatch.setattr(hk, 'next_rng_key', lambda: key)
    # Not the one that was traced with another key.
    experiment = _make(model=model)
    return jax.jit(jax.vmap(
        experiment.update_gradient, in_axes=(None, None, None, 0), axis_name='data'))(
            state, experiment.numbers(state.update), None, rows)

  grads, _, metrics = gradient({**model, 'dropout_masks': 3}, key)
  parts = [(grads, metrics) for grads, _, metrics in (
      gradient(model, part) for part in jax.random.split(key, 3))]
  assert any(jax.tree.leaves(jax.tree.map(lambda a, b: np.any(a != b), parts[0], parts[1])))
  mean = jax.tree.map(lambda *x: sum(x) / 3, *parts)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
               (grads, metrics), mean)


def test_the_init_seed_alone_makes_the_weights():
  a, b, c = (_experiment(seed=s, **({'seeds.init': i} if i is not None else {})).first_state()
             for s, i in ((0, None), (5, 0), (1, None)))
  commands.assert_same(_named(a.params), _named(b.params))
  assert any((_named(a.params)[k] != v).any() for k, v in _named(c.params).items())


def test_ema_starts_at_the_parameters_and_follows():
  experiment = _experiment(ema=0.9999)
  state = experiment.first_state()
  commands.assert_same(_named(state.params), _named(state.ema.params))
  after, _ = _step(experiment, state, _batch(8))
  # At t = 0 the decay is (1 + 0) / (10 + 0).
  expected = jax.tree.map(lambda old, new: 0.1 * old + 0.9 * new, state.params, after.params)
  commands.assert_same(_named(expected), _named(after.ema.params), rtol=1e-6)


def test_the_norm_of_the_gradient_is_that_before_clip_and_decay():
  plain = _experiment()
  changed = _experiment(gradient_norm=True, **{
      'optimizer.weight_decay': 0.1, 'clip.name': 'global_norm', 'clip.norm': 1e-3})
  state, batch = _warm(plain), _batch(8)
  after, metrics = _step(plain, state, batch)
  assert 'gradient_norm' not in metrics
  # Plain descent at the rate 0.1 moves the weights by 0.1 times the gradient.
  moved = jax.tree.map(lambda a, b: np.float64(a - b) / 0.1, state.params, after.params)
  expected = np.sqrt(sum((x**2).sum() for x in jax.tree.leaves(moved)))
  opt_state = changed.optimizer(changed.schedule).init(state.params)
  _, metrics = _step(changed, state._replace(opt_state=opt_state), batch)
  assert float(metrics['gradient_norm']) == pytest.approx(expected, rel=1e-3)
  assert float(metrics['gradient_norm']) > 1e-3


def test_noise_takes_its_second_seed_from_its_pass_on():
  model = {'name': 'wide_resnet_tiny', 'dropout': 0.5}
  plain = _experiment(model=model)
  again = _experiment(model=model, **{'reseed.epoch': 1, 'reseed.noise': 5})
  other = _experiment(model=model, **{'seeds.noise': 5})
  state, batch = _warm(plain), _batch(8)
  # A pass over 1000 images has 125 updates of 8.
  for update, like in ((0, plain), (124, plain), (125, other), (300, other)):
    there = state._replace(update=jnp.int32(update))
    losses = [float(_step(one, there, batch)[1]['loss']) for one in (again, like)]
    assert losses[0] == losses[1]
    unlike = other if like is plain else plain
    assert float(_step(unlike, there, batch)[1]['loss']) != losses[0]


def test_everything_composes():
  experiment = _experiment(
      model={'name': 'wide_resnet_tiny', 'dropout': 0.1}, views=16, multiplicity=2, devices=2,
      accumulate=2, ema=0.999, dtype='bfloat16',
      gradient_norm=True, penalty='l2(coefficient=1e-5)', **_SAM,
      **{'ascent.fraction': 0.5, 'clip.name': 'agc', 'clip.clip': 0.01,
         'optimizer.weight_decay': 2e-5, 'optimizer.momentum': 0.9, 'optimizer.nesterov': True,
         'optimizer.decay_mask': 'no_gain_bias'})
  batch = _batch(16)
  batch['partner_label'] = np.roll(batch['label'], 2)
  batch['weight'] = np.linspace(0, 1, 16, dtype=np.float32)
  state = experiment.first_state()
  for _ in range(3):
    state, metrics = _step(experiment, state, batch, devices=2)
  for name, value in _named(state).items():
    assert np.isfinite(value).all(), name
    assert value.dtype == (np.int32 if value.shape == () and 'int' in str(value.dtype)
                           else np.float32), name
  assert np.isfinite(float(metrics['loss']))


def test_evaluation_does_not_count_padding():
  experiment = _experiment()
  state, batch = experiment.first_state(), _batch(6)
  del batch['draws']
  mask = np.array([1, 1, 1, 1, 0, 0], np.float32)
  one = evaluation.Evaluation('test', accuracy.accuracy(), 'test', '1 epochs', 6, 0, False)
  evaluate = jax.vmap(evaluator.eval_step(one, experiment.model, experiment.preparation),
                      in_axes=(None, None, None, 0, None), axis_name='data')
  weights = evaluator.Weights(state.params, state.averages)
  cut = lambda batch, n: jax.tree.map(lambda x: jnp.reshape(x, (n, -1) + x.shape[1:]), batch)
  whole, *_ = evaluate(weights, 0, np.uint32(0), cut(
      jax.tree.map(lambda x: x[:4], {**batch, 'mask': mask}), 1), {})
  padded, *_ = evaluate(weights, 0, np.uint32(0), cut({**batch, 'mask': mask}, 2), {})
  assert float(padded['examples'][0]) == 4
  for key in whole:
    np.testing.assert_allclose(padded[key][0], whole[key][0], rtol=1e-5)
