"""Correlation of gradients, against brute force and what is known of a new network."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import analysis
from nfnets_am.analysis import gradient_correlation
from nfnets_am.analysis import measures
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.models import model as model_lib
from nfnets_am.storage import metrics
from nfnets_am.training import run as run_lib


def _config(**values):
  config = schema.get_default()
  config.update({
      'unique': 3, 'budget': '4 updates', 'data': {'train_images': 40, 'apply': 'device', 'augment':
      'pad_crop(pad=2) | flip() | normalise()'}, 'model': {'name': 'resnet_tiny'}, **values})
  config.evals = {}
  return config


@pytest.mark.parametrize('is_training', [False, True])
def test_correlations_are_those_of_single_gradients(is_training):
  config = _config()
  run = run_lib.build(config)
  state = run.experiment.first_state()
  found = gradient_correlation.correlations({'views': run}, state, 5, is_training, seed=1)
  image, label = run.dataset.splits['train']

  @jax.jit
  @jax.grad
  def slope(params, inputs, label):
    outputs, _ = run.experiment.model.apply(
        params, model_lib.State(state.averages, {}), None, inputs[None],
        model_lib.Mode(is_training))
    return -jax.nn.log_softmax(outputs.logits)[0, label]

  def gradient(inputs, label):
    leaves = jax.tree.leaves(slope(state.params, inputs, label))
    return np.concatenate([np.ravel(x) for x in leaves]).astype(np.float64)

  of_stored = lambda i: gradient(
      run.dataset.preparation.prepare_stored({'image': image[[i]]})['inputs'][0], label[i])
  wanted = []
  for batch in run.dataset.train_batches(run.plan, 0, 0, 2):
    rows = run.dataset.preparation.prepare(jnp.asarray(run.dataset.pool), batch)
    order = np.argsort(batch['example'])
    wanted += [np.corrcoef(of_stored(batch['example'][r]),
                           gradient(rows['inputs'][r], batch['label'][r]))[0, 1] for r in order]
  np.testing.assert_allclose(found['views'], wanted[:5], atol=2e-3)


def test_two_classes_of_a_new_network_pull_the_head_apart(tmp_path):
  # All that a head of zeros says is 1 / K for each class: of two classes, whatever the features,
  # the gradients of the logits correlate by -1 / (K - 1) (Hoffer et al. 2020, Table 1: -0.11).
  config = _config(measure='gradient_correlation(pairs=20)')
  measures.measure(config, tmp_path, analysis.MEASURES)
  lines = {line['split']: line for line in metrics.read(tmp_path / 'metrics.jsonl')}
  assert lines['different_class']['correlation'] < 0 < lines['same_class']['correlation']
  assert lines['views']['correlation'] > lines['same_class']['correlation'] - 0.1
  for line in lines.values():
    assert -1 <= line['correlation'] <= 1 and line['deviation'] > 0


def test_states_of_a_training_are_measured_and_it_is_trained_once(tmp_path):
  config = _config(
      measure="gradient_correlation(pairs=4, epochs=(0, 1, 2), without='flip')",
      budget='2 epochs', unique=10)
  measures.measure(config, tmp_path, analysis.MEASURES)
  splits = [line['split'] for line in metrics.read(tmp_path / 'metrics.jsonl')]
  assert splits == [f'{kind}_{epoch}' for epoch in (0, 1, 2) for kind in (
      'views', 'views_without', 'same_class', 'different_class')]
  starts = lambda: json.loads((tmp_path / 'training' / 'run.json').read_text())['starts']
  assert len(starts()) == 1
  # Measured again, as after an interruption: the training is there.
  (tmp_path / 'status.json').unlink()
  first = (tmp_path / 'metrics.jsonl').read_bytes()
  measures.measure(config, tmp_path, analysis.MEASURES)
  assert (tmp_path / 'metrics.jsonl').read_bytes() == first and len(starts()) == 1


@pytest.mark.parametrize('call, message', [
    ("gradient_correlation(pairs=4, without='cutout')", "without='cutout'; allowed: an op of"),
    ('gradient_correlation(pairs=4, epochs=(9,))', 'epochs with 9, of which'),
    ('gradient_correlation(pairs=1)', 'pairs=1; allowed: whole numbers from 2'),
    ("gradient_correlation(mode='test')", "mode='test'; allowed: evaluation, training"),
    ('gradient_correlation(pairs=41)', 'pairs=41 of 40 training images'),
])
def test_refuses(tmp_path, call, message):
  with pytest.raises(errors.ConfigError, match=re.escape(message)):
    measures.measure(_config(measure=call), tmp_path, analysis.MEASURES)
