"""Evaluations of a run: every example once, several weights at a time, predictions that stay."""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from nfnets_am import evaluation
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.evaluation import evaluator
from nfnets_am.evaluation import predictions
from nfnets_am.models import model as model_lib
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import tiny


def _config(**changes):
  config = tiny.get_config()
  config.data.train_images = 23
  config.evals.test = ml_collections.ConfigDict({'name': 'accuracy', 'split': 'test'})
  return sections.override(config, changes)


class _Linear:
  """Logits are the first pixels of an image, times a weight."""

  @staticmethod
  def apply(params, state, rng, inputs, mode):
    assert not mode.is_training
    logits = params['linear']['w'] * inputs.reshape((len(inputs), -1))[:, 300:310]
    return model_lib.Outputs(logits.astype(jnp.float32), {}, {}), state

  @staticmethod
  def init_carry(rows):
    del rows
    return {}


def _weights(w):
  return parallel.replicate(evaluator.Weights({'linear': {'w': np.float32(w)}}, {}))


def _by_hand(run, w, split='train'):
  images, label = run.dataset.splits[split][:2]
  rows = run.dataset.preparation.prepare_stored(
      {'image': jnp.asarray(images), 'label': jnp.asarray(label)})
  logits = w * np.asarray(rows['inputs'], np.float64).reshape((len(images), -1))[:, 300:310]
  losses = np.log(np.exp(logits).sum(1)) - logits[np.arange(len(label)), label]
  return logits, label, losses


@pytest.mark.parametrize('backend', ['pmap', 'shard_map'])
@pytest.mark.parametrize('batch', [4, 23, 30])
def test_every_example_counts_once_for_every_weights(batch, backend):
  run = run_lib.build(_config(**{'evals.test.split': 'train', 'evals.test.batch': batch,
                                 'evals.test.keep': True}))
  (one,) = run.evaluations
  assert (one.name, one.split, one.batch) == ('test', 'train', batch)
  found, kept = evaluator.Evaluator(one, _Linear, run.dataset, backend=backend, seed=0).evaluate(
      {'': _weights(1.0), 'ema_': _weights(-2.0)})
  assert found['images'] == 23
  for prefix, w in (('', 1.0), ('ema_', -2.0)):
    logits, label, losses = _by_hand(run, w)
    assert found[f'{prefix}loss'] == pytest.approx(losses.mean(), rel=1e-5)
    assert found[f'{prefix}top1'] == pytest.approx(
        np.mean([int(row.argmax() == k) for row, k in zip(logits, label, strict=True)]), abs=0.05)
    # Predictions are in the order in which the examples are stored.
    np.testing.assert_allclose(kept[f'{prefix}logits'], logits, rtol=1e-5, atol=1e-5)
  np.testing.assert_array_equal(kept['label'], label)
  assert set(kept) == {'label', 'logits', 'ema_logits'}


def test_a_single_minibatch_is_the_first_examples():
  run = run_lib.build(_config(**{'evals.test.split': 'train', 'evals.test.batch': 8,
                                 'evals.test.most': 1}))
  (one,) = run.evaluations
  found, kept = evaluator.Evaluator(one, _Linear, run.dataset, backend='pmap', seed=0).evaluate(
      {'': _weights(1.0)})
  assert kept is None and found['images'] == 8
  assert found['loss'] == pytest.approx(_by_hand(run, 1.0)[2][:8].mean(), rel=1e-5)


def test_steps_are_a_multiple_of_the_devices(monkeypatch):
  """500 over 8 devices are 504 in a step; each of 2 hosts takes half of them."""
  asked = []

  class Data:
    preparation = None

    def eval_batches(self, split, batch, *, host, hosts):
      asked.append((split, batch, host, hosts))
      return iter(())

  monkeypatch.setattr(jax, 'device_count', lambda: 8)
  monkeypatch.setattr(jax, 'process_count', lambda: 2)
  one = evaluation_lib.Evaluation('test', accuracy.accuracy(), 'test', '', 500, 0, False)
  evaluator.Evaluator(one, _Linear, Data(), backend='pmap', seed=0).evaluate({})
  assert asked == [('test', 252, 0, 2)]


def test_evaluations_are_in_the_order_of_splits_with_the_configs_defaults():
  config = _config()
  for name, split in (('z', 'train'), ('b', 'validation'), ('a', 'validation')):
    config = sections.override(config, {f'evals.{name}.name': 'accuracy',
                                        f'evals.{name}.split': split})
  config.evals.a.every, config.evals.a.batch = '3 updates', 7
  found = evaluation_lib.of(config, evaluation.EVALUATIONS)
  assert [one.name for one in found] == ['a', 'b', 'test', 'z']
  assert [(one.every, one.batch) for one in found[:2]] == [
      ('3 updates', 7), (config.eval_every, config.eval_batch)]


def test_an_evaluation_that_is_not_there_is_refused():
  with pytest.raises(errors.ConfigError, match="unknown evaluation 'acuracy'.*did you mean"):
    _config(**{'evals.test.name': 'acuracy'})
  with pytest.raises(errors.ConfigError, match='evals.test.splt'):
    _config(**{'evals.test.splt': 'train'})


def test_predictions_come_back_from_their_file_and_damage_is_named(tmp_path):
  path = tmp_path / 'predictions' / 'test.npz'
  found = {'label': np.arange(3), 'logits': np.float32([[0.1, 0.2]] * 3)}
  predictions.write(path, found)
  back = predictions.read(path)
  assert set(back) == set(found)
  for key, value in found.items():
    np.testing.assert_array_equal(back[key], value)
    assert back[key].dtype == value.dtype
  assert [p.name for p in path.parent.iterdir()] == ['test.npz']
  path.write_bytes(path.read_bytes()[:50])
  with pytest.raises(errors.UserError, match='cannot be read'):
    predictions.read(path)
  with pytest.raises(errors.UserError, match='is missing; an evaluation keeps its predictions'):
    predictions.read(tmp_path / 'none.npz')
  (tmp_path / 'file').write_text('')
  with pytest.raises(errors.UserError, match='cannot be written'):
    predictions.write(tmp_path / 'file' / 'test.npz', found)
