"""Updates on adversarial images: pixels are attacked, by a seed of their own, on any devices."""

import json
import signal

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.models import model as model_lib
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib
from tests import commands
from tests import tiny

_SHAPE, _CLASSES, _MEAN, _STD = (6, 6, 1), 7, 0.4, 0.25
_FGSM = {'objective.attack': 'fgsm(epsilon=0.1)'}
_PGD = {'objective.attack': 'pgd(epsilon=0.1, step_size=0.05, steps=3)'}


def _linear(num_classes):
  """Logits of a linear, without a bias: simple enough for a formula."""
  def apply(params, state, rng, inputs, mode):
    return model_lib.Outputs(inputs.reshape((len(inputs), -1)) @ params['head']['w']), state

  shape = (np.prod(_SHAPE), num_classes)
  return model_lib.Model(
      init=lambda rng, inputs, mode: (
          {'head': {'w': jax.random.normal(rng, shape)}}, model_lib.State({}, {})),
      apply=apply, name='linear', num_classes=num_classes, train_size=6, test_size=6, head='head')


@pytest.fixture(autouse=True)
def linear(monkeypatch):
  monkeypatch.setitem(models.MODELS._entries, 'linear', _linear)


def _preparation(augment=f'normalise(mean={_MEAN}, std={_STD})', dtype='float32', table=None):
  return preparation.ImagePreparation(
      ops.parse(augment).bind((0.5,), (0.2,)), hand_over.HandOver(table), _SHAPE, dtype)


def _experiment(views=8, devices=1, model='linear', prepare=None, **changes):
  config = schema.get_default()
  config.views = views
  config.budget = '10 updates'
  config.model = ml_collections.ConfigDict({'name': model})
  sections.override(config, {'objective.name': 'adversarial', **changes})
  return step_lib.make_experiment(
      config, derived_lib.derive(config, train_images=1000, devices=devices),
      facts.Facts(1000, _CLASSES, _SHAPE), prepare or _preparation())


def _batch(rows=8, seed=0):
  rng = np.random.default_rng(seed)
  return {'image': rng.integers(0, 256, (rows, *_SHAPE), dtype=np.uint8),
          'label': rng.integers(0, _CLASSES, rows).astype(np.int32), 'draws': {}}


def _gradient(experiment, state, batch, devices=1):
  cut = jax.tree.map(lambda x: x.reshape((devices, -1) + x.shape[1:]), batch)
  grads, _, metrics = jax.jit(jax.vmap(
      experiment.update_gradient, in_axes=(None, None, None, 0), axis_name='data'))(
          state, experiment.numbers(state.update), None, cut)
  return jax.tree.map(lambda x: np.float64(x[0]), (grads['head']['w'], metrics))


def _by_hand(w, batch):
  """The gradient of the loss at images that FGSM has moved among pixels, in float64."""
  w, total = np.asarray(w, np.float64), 0.0
  for image, label in zip(batch['image'], batch['label'], strict=True):
    def error(x, label=label):
      p = np.exp(x @ w - (x @ w).max())
      return p / p.sum() - np.eye(_CLASSES)[label]

    seen = lambda pixels: (pixels - _MEAN) / _STD
    pixels = image.reshape(-1) / 255
    moved = seen(np.clip(pixels + 0.1 * np.sign(w @ error(seen(pixels))), 0, 1))
    total = total + np.outer(moved, error(moved))
  return total / len(batch['label'])


def test_pixels_are_attacked_and_normalisation_stands_inside():
  made = _experiment(**_FGSM)
  state, batch = made.first_state(), _batch()
  found, metrics = _gradient(made, state, batch)
  np.testing.assert_allclose(found, _by_hand(state.params['head']['w'], batch), rtol=1e-4,
                             atol=1e-5)
  assert set(metrics) == {'loss', 'top1'}


def test_sam_climbs_the_loss_of_adversarial_images_and_attacks_again_up_there():
  plain, sam = _experiment(**_FGSM), _experiment(
      **_FGSM, **{'ascent.name': 'sam', 'ascent.rho': 0.1})
  state, batch = plain.first_state(), _batch()
  w = np.asarray(state.params['head']['w'], np.float64)
  slope = _by_hand(w, batch)
  there = _by_hand(w + 0.1 * slope / np.linalg.norm(slope), batch)
  np.testing.assert_allclose(_gradient(sam, state, batch)[0], there, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize('devices, accumulate', [(4, 1), (1, 4), (2, 2)])
def test_random_starts_are_those_of_the_rows_however_they_are_cut(devices, accumulate):
  keys = {**_PGD, 'objective.alpha': 0.5, 'objective.pairing': 'squared(coefficient=0.5)'}
  whole, cut = _experiment(**keys), _experiment(8, devices, accumulate=accumulate, **keys)
  state, batch = whole.first_state(), _batch()
  expected, metrics = _gradient(whole, state, batch)
  found, others = _gradient(cut, state, batch, devices)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
  assert others == pytest.approx(metrics, rel=1e-5)


def test_attacks_have_a_seed_of_their_own():
  made = _experiment(**_PGD)
  state = made.first_state()
  # One image in all rows: each starts elsewhere.
  batch = jax.tree.map(lambda x: np.repeat(x[:1], 8, axis=0), _batch(1))
  first, _ = _gradient(made, state, batch)
  again = _gradient(_experiment(**_PGD, **{'seeds.noise': 5}), state, batch)[0]
  np.testing.assert_array_equal(again, first)
  for other, at in ((_experiment(**_PGD, **{'seeds.attack': 5}), state),
                    (made, state._replace(update=state.update + 1))):
    assert np.abs(_gradient(other, at, batch)[0] - first).max() > 1e-4
  # And a second one from a pass on, as the other sources have.
  later = _experiment(**_PGD, **{'reseed.epoch': 1, 'reseed.attack': 5})
  keys = [later.numbers(jnp.int32(update))['attack'] for update in (0, later.reseed_at)]
  assert (keys[0] == made.numbers(jnp.int32(0))['attack']).all()
  assert (keys[1] == _experiment(**_PGD, **{'seeds.attack': 5}).numbers(
      jnp.int32(later.reseed_at))['attack']).all()


@pytest.mark.parametrize('keys', [
    {'objective.alpha': 1.0}, {'objective.attack': 'pgd(epsilon=0)', 'objective.alpha': 0.5}])
@pytest.mark.parametrize('model', ['resnet_tiny', 'linear'])
def test_without_an_attack_it_is_plain_training_bit_for_bit(keys, model):
  plain = _experiment(model=model, **{'objective.name': 'cross_entropy'})
  none = _experiment(model=model, **keys)
  batch = jax.tree.map(lambda x: x[None], _batch())
  found = []
  for made in (plain, none):
    state = made.first_state()
    step = jax.jit(jax.vmap(made.train_step, in_axes=(None, None, None, 0), axis_name='data'))
    for _ in range(2):
      state, metrics = jax.tree.map(
          lambda x: x[0], step(state, made.numbers(state.update), None, batch))
    found.append((state, metrics))
  jax.tree.map(np.testing.assert_array_equal, *found)


def test_the_network_sees_of_pixels_what_it_is_given_otherwise():
  batch = {**_batch(), 'draws': {}}
  for augment in ('normalise()', 'normalise(mean=0.1, std=0.3)',
                  'normalise(mean=0.0, std=0.3, per_image=True)'):
    for dtype, tolerance in (('float32', 1e-6), ('bfloat16', 2e-2)):
      prepare = _preparation(augment, dtype)
      pixels = prepare.in_pixels(stored=False)
      rows, moved = (jax.jit(one.prepare)(None, batch)['inputs'] for one in (prepare, pixels))
      assert moved.dtype == jnp.float32 and moved.min() >= 0 and moved.max() <= 1
      np.testing.assert_allclose(moved, batch['image'] / np.float32(255), rtol=1e-6)
      again = jax.jit(pixels.normalise)(moved)
      assert again.dtype == rows.dtype == dtype
      np.testing.assert_allclose(np.float32(again), np.float32(rows), atol=tolerance)


def test_views_that_are_no_pixels_are_refused():
  table = np.zeros((256, 1), jnp.bfloat16)
  for prepare, found in ((_preparation('normalise() | cutout(length=2)'), 'cutout'),
                         (_preparation(table=table), "data.hand_over='bfloat16'")):
    with pytest.raises(errors.ConfigError, match=f'{found}.*allowed: normalise.. as the last op'):
      _experiment(prepare=prepare)
    _experiment(prepare=prepare, **{'objective.name': 'cross_entropy'})


@pytest.mark.slow
def test_a_run_is_killed_and_resumed_bit_for_bit(tmp_path):
  flags = ('--config=tests/tiny.py', '--config.budget=12 updates', '--config.schedule.peak=0.01',
           '--config.objective.name=adversarial', '--config.objective.attack=pgd(steps=2)',
           '--config.objective.pairing=decoupled(ratio=0.5, beta=1e-3)',
           '--config.evals.attacked.name=pgd', '--config.evals.attacked.split=test',
           '--config.evals.attacked.steps=2', '--config.evals.attacked.batch=128',
           '--config.evals.attacked.most=1')
  whole, cut = tmp_path / 'whole', tmp_path / 'cut'
  done = commands.run('nfnets_am.train', *flags, f'--workdir={whole}', devices=4)
  assert done.returncode == 0, done.stderr
  with commands.start('nfnets_am.train', *flags, f'--workdir={cut}', devices=4) as process:
    for line in process.stderr:
      if 'update 8: test' in line:
        process.send_signal(signal.SIGKILL)
        break
    process.communicate()
  done = commands.run('nfnets_am.train', *flags, f'--workdir={cut}', devices=4)
  assert done.returncode == 0, done.stderr
  lines = (cut / 'metrics.jsonl').read_text()
  assert lines == (whole / 'metrics.jsonl').read_text()
  assert lines.count('"split": "attacked"') == 2 and '"pairing": ' in lines
  assert json.loads((cut / 'run.json').read_text())['starts'][-1]['update'] > 0


def test_the_best_checkpoint_may_be_that_under_an_attack():
  config = tiny.get_config()
  config.evals.pgd = ml_collections.ConfigDict(
      {'name': 'pgd', 'split': 'test', 'epsilon': 0.1, 'steps': 2, 'step_size': 0.05})
  config.checkpoint.best = 'pgd/top1'
  run_lib.build(config)
  config.checkpoint.best = 'pgd/bits'
  with pytest.raises(errors.ConfigError, match="'pgd/bits' is not measured here"):
    run_lib.build(config)
