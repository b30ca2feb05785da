"""Evaluations under attack: each example once, the same in any batch, filling rows unmoved."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import evaluation
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.evaluation import evaluator
from nfnets_am.models import model as model_lib
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import tiny

_WEIGHTS = np.random.default_rng(0).normal(size=(28 * 28, 10)) / 28
# What `normalise` makes of pixels; the network sees nothing else.
_MEAN, _STD = 0.3, 0.25


class _Linear:
  """Logits are a linear of normalised images."""

  @staticmethod
  def apply(params, state, rng, inputs, mode):
    assert not mode.is_training
    return model_lib.Outputs(inputs.reshape(len(inputs), -1) @ params['linear']['w']), state

  @staticmethod
  def init_carry(rows):
    del rows
    return {}


def _run(**changes):
  config = tiny.get_config()
  config.data.train_images = 23
  return run_lib.build(sections.override(config, {
      'data.augment': f'normalise(mean={_MEAN}, std={_STD})', 'evals.test.split': 'train',
      'evals.test.keep': True, 'evals.test.most': 0, **changes}))


def _evaluate(run, backend='pmap', seed=0):
  (one,) = run.evaluations
  weights = {prefix: parallel.replicate(evaluator.Weights(
      {'linear': {'w': np.float32(factor * _WEIGHTS)}}, {})) for prefix, factor in (
          ('', 1), ('ema_', -1))}
  return evaluator.Evaluator(
      one, _Linear, run.dataset, backend=backend, seed=seed).evaluate(weights)


def _by_hand(run, factor, epsilon):
  images, label = run.dataset.splits['train'][:2]
  pixels, w = images.reshape(len(images), -1) / 255, factor * np.float32(_WEIGHTS).astype(float)
  logits = lambda x: (x - _MEAN) / _STD @ w
  p = np.exp(logits(pixels) - logits(pixels).max(1, keepdims=True))
  p /= p.sum(1, keepdims=True)
  moved = np.clip(pixels + epsilon * np.sign((p - np.eye(10)[label]) @ w.T), 0, 1)
  return logits(moved), label


@pytest.mark.parametrize('backend', ['pmap', 'shard_map'])
def test_fgsm_attacks_pixels_of_every_example_by_the_weights_own_gradients(backend):
  run = _run(**{'evals.test.name': 'fgsm', 'evals.test.epsilon': 0.1, 'evals.test.batch': 10})
  found, kept = _evaluate(run, backend)
  assert found['images'] == 23
  for prefix, factor in (('', 1), ('ema_', -1)):
    logits, label = _by_hand(run, factor, 0.1)
    np.testing.assert_allclose(kept[f'{prefix}logits'], logits, rtol=1e-4, atol=1e-4)
    assert found[f'{prefix}top1'] == pytest.approx((logits.argmax(1) == label).mean())
    clean, _ = _by_hand(run, factor, 0)
    assert (logits[np.arange(23), label] < clean[np.arange(23), label]).all()


@pytest.mark.parametrize('keys', [
    {'name': 'pgd', 'steps': 2}, {'name': 'spsa', 'iterations': 2, 'samples': 4}])
def test_an_example_meets_the_same_attack_in_batches_of_any_size(keys):
  changes = {f'evals.test.{key}': value for key, value in keys.items()}
  found = [_evaluate(_run(**changes, **{'evals.test.batch': batch}))[1]['logits']
           for batch in (4, 30)]
  np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-5)
  other = _evaluate(_run(**changes), seed=1)[1]['logits']
  assert np.abs(other - found[0]).max() > 1e-3


def test_rows_that_only_fill_a_batch_are_not_moved():
  evaluate = evaluation.EVALUATIONS.make('pgd', steps=2)
  rows = {'inputs': jnp.full((3, 28, 28, 1), 0.5), 'label': jnp.array([1, 2, 3]),
          'mask': jnp.array([1.0, 1.0, 0.0]), 'attack': jax.random.split(jax.random.key(0), 3)}
  params = {'linear': {'w': jnp.float32(_WEIGHTS)}}
  _, predicted = evaluate(_Linear.apply, params, model_lib.State({}, {}), None, rows)
  clean = _Linear.apply(params, {}, None, rows['inputs'], model_lib.EVALUATION)[0].logits
  moved = np.abs(predicted['logits'] - clean).max(1)
  assert moved[2] == 0 and (moved[:2] > 0.01).all()


def test_its_keys_are_the_attacks_and_its_seed_is_the_attacks():
  run = _run(**{'evals.test.name': 'pgd', 'evals.test.steps': 20})
  (one,) = run.evaluations
  assert (one.attacks, one.source) == (True, 'attack')
  assert set(run.config.evals.test) == {
      'name', *evaluation.COMMON, 'epsilon', 'step_size', 'steps', 'random_start', 'restarts',
      'labels'}
  assert _run(**{'evals.test.name': 'accuracy'}).evaluations[0].source == 'noise'
  with pytest.raises(errors.ConfigError, match='evals.test.stps'):
    _run(**{'evals.test.name': 'pgd', 'evals.test.stps': 3})
  with pytest.raises(errors.ConfigError, match=r'pgd\(steps=0\)'):
    _run(**{'evals.test.name': 'pgd', 'evals.test.steps': 0})


def test_views_that_are_changed_behind_normalise_are_tested_all_the_same():
  """Stored images meet no other op."""
  run = _run(**{'evals.test.name': 'fgsm', 'data.augment': (
      f'normalise(mean={_MEAN}, std={_STD}) | cutout(length=8)'), 'evals.test.epsilon': 0.1})
  np.testing.assert_allclose(_evaluate(run)[1]['logits'], _by_hand(run, 1, 0.1)[0], rtol=1e-4,
                             atol=1e-4)
