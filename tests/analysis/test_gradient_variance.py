"""Variance between minibatch gradients (pitfall P36), against brute force and closed forms."""

import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import analysis
from nfnets_am import models
from nfnets_am.analysis import gradient_variance
from nfnets_am.analysis import measures
from nfnets_am.analysis import moments
from nfnets_am.core import errors
from nfnets_am.data.ops import arrays
from nfnets_am.models import model as model_lib
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from nfnets_am.training import run as run_lib
from tests import commands
from tests.data.ops import helpers

_FIGURE9 = commands.ROOT / 'experiments' / 'fort2021' / 'figure9.py'


def _config(cell='multiplicity=4,scheme=growing', **values):
  return experiment_file.get_config(f'{_FIGURE9}:scale=smoke,{cell}', values)


def _measure(config, workdir):
  return measures.measure(config, workdir, analysis.MEASURES)


def test_running_moments_keep_their_digits_beside_a_large_mean():
  rows = 1000 + np.random.default_rng(0).normal(0, 0.1, (50, 6)).astype(np.float32)
  tree = moments.start({'a': rows[0], 'b': rows[0][:2]})
  for row in rows:
    tree = moments.add(tree, {'a': row, 'b': row[:2]})
  found = moments.variance(tree)
  expected = np.var(rows.astype(np.float64), axis=0, ddof=1)
  np.testing.assert_allclose(found['a'], expected, rtol=0.02)
  np.testing.assert_array_equal(found['b'], found['a'][:2])


def test_layers_count_alike_whatever_their_size():
  variance = {'wide': {'w': np.array([1.0, 3.0])}, 'narrow': {'w': np.zeros(()), 'b': np.zeros(1)},
              'block': {'skip_gain': np.full((), 9.0)}}
  assert gradient_variance.layer_means(variance) == {'narrow': 0.0, 'wide': 2.0}
  assert gradient_variance.layer_means(variance, skip_gains=True)['block'] == 9.0


def test_a_cell_equals_brute_force_and_is_measured_once(tmp_path):
  config = _config(budget='5 updates')
  _measure(config, tmp_path)
  run = run_lib.build(config)
  experiment, state = run.experiment, run.experiment.first_state()

  @jax.jit
  def gradient(params, images, labels):
    def loss(params):
      outputs, _ = experiment.model.apply(
          params, model_lib.State(state.averages, {}), None, images, model_lib.TRAINING)
      return -jax.nn.log_softmax(outputs.logits)[jnp.arange(len(labels)), labels].mean()
    return jax.grad(loss)(params)

  gradients, way = [], run.dataset.preparation.augmentation
  for batch in run.dataset.train_batches(run.plan, 0, 0, 5):
    pixels = helpers.follow(way, arrays.JAX, jnp.asarray(run.dataset.pool), batch['draws'],
                            batch['index'])
    images = (np.asarray(pixels, np.float32) / 255 - way.normalise.mean) / way.normalise.std
    assert images.shape == (64, 28, 28, 1)
    gradients.append(gradient(state.params, jnp.float32(images), batch['label']))
  expected, every = [], []
  for module in state.params:
    values = [np.stack([np.asarray(g[module][name], np.float64) for g in gradients])
              for name in state.params[module]]
    every.append(np.concatenate([np.var(x, axis=0, ddof=1).ravel() for x in values]).mean())
    # A block's scalar is all that its module has.
    if 'skip_gain' not in state.params[module]:
      expected.append(every[-1])
  assert len(expected) == 1 + 3 * 3 + 1 and len(every) == len(expected) + 3

  result = outcomes.read_run(tmp_path, {})
  assert result.status == 'finished' and result.derived['unique'] == 16
  assert result.final[gradient_variance.METRIC] == pytest.approx(np.mean(expected), rel=1e-3)
  layers = run_folder.RunFolder(tmp_path).read('layers.json')
  assert sorted(layers.values()) == pytest.approx(sorted(every), rel=1e-3, abs=1e-12)
  assert result.final['init/variance_of_all'] == pytest.approx(np.mean(every), rel=1e-3)
  # The lock is taken, since a folder of another config is refused; nothing is written.
  before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir() if path.name != '.lock'}
  _measure(config, tmp_path)
  assert {path: path.stat().st_mtime_ns for path in before} == before
  assert set(tmp_path.iterdir()) - before.keys() == {tmp_path / '.lock'}
  with pytest.raises(errors.UserError, match='seed=0'):
    _measure(_config(budget='5 updates', seed=1), tmp_path)


def _variance_of_a_bias(monkeypatch, **values):
  """Variance of a model that is nothing but K biases, whose gradient is 1/K - share of the class.

  The minibatches are one pass over the N images, so that the variance between their means is
  expected to be exactly S^2 / U, with S^2 = N / (N - 1) p (1 - p) for a class of share p.
  """
  config = _config(**values, **{'budget': '1 epochs', 'data.train_images': 1024})
  classes = 10

  def bias(num_classes):
    return model_lib.Model(
        init=lambda rng, images, mode: (
            {'linear': {'b': jnp.zeros(num_classes)}}, model_lib.State({}, {})),
        apply=lambda params, state, rng, images, mode: (model_lib.Outputs(
            jnp.broadcast_to(params['linear']['b'], (len(images), num_classes)), {}, {}), state),
        init_carry=lambda rows: {}, head='linear', name='bias', num_classes=num_classes,
        train_size=28, test_size=28)

  monkeypatch.setattr(models, 'MODELS', types.SimpleNamespace(
      build=lambda section, num_classes: bias(num_classes)))
  run = run_lib.build(config)
  share = np.bincount(run.dataset.splits['train'].label, minlength=classes) / 1024
  expected = (1024 / 1023 * share * (1 - share) / run.derived.unique).mean()
  return gradient_variance.layer_means(gradient_variance.variance(run))['linear'], expected


def test_fixed_batch_rises_with_n_and_growing_batch_is_flat(monkeypatch):
  one, expected = _variance_of_a_bias(monkeypatch, cell='scheme=fixed,multiplicity=1')
  assert one == pytest.approx(expected, rel=0.15)
  four, expected_four = _variance_of_a_bias(monkeypatch, cell='scheme=fixed,multiplicity=4')
  assert expected_four == pytest.approx(4 * expected)
  assert four == pytest.approx(expected_four, rel=0.15)
  # Views do not enter this gradient at all: with the same images, growing changes nothing.
  growing, _ = _variance_of_a_bias(monkeypatch, cell='scheme=growing,multiplicity=4')
  assert growing == pytest.approx(one, rel=1e-4)


def test_what_it_cannot_measure_is_refused(tmp_path):
  penalised = _config(penalty='l2(coefficient=0.1)')
  with pytest.raises(errors.ConfigError, match='penalty=.*0.1.*the loss without it'):
    _measure(penalised, tmp_path)
  assert run_folder.RunFolder(tmp_path).status()['status'] == 'failed'
  with pytest.raises(errors.ConfigError, match='1 minibatches'):
    gradient_variance.variance(run_lib.build(_config(budget='1 updates')))
  for call, words in (('', "measure=''; allowed: one call of .*gradient_variance"),
                      ('variance()', "unknown measure 'variance'.*gradient_variance"),
                      ('gradient_variance(n=1)', "no key 'n'"),
                      ('gradient_variance', 'write gradient_variance')):
    with pytest.raises(errors.ConfigError, match=words):
      _measure(_config(measure=call), tmp_path / 'none')
  assert not (tmp_path / 'none').exists()


def test_the_command_measures_a_cell_and_training_refuses_it(tmp_path):
  flags = (f'--config={_FIGURE9}:scale=smoke,multiplicity=1,scheme=fixed',
           '--config.budget=2 updates', f'--workdir={tmp_path / "run"}')
  done = commands.run('nfnets_am.train', *flags)
  assert done.returncode == 1 and 'python -m nfnets_am.measure' in done.stderr
  assert not (tmp_path / 'run').exists()
  done = commands.run('nfnets_am.measure', *flags)
  assert done.returncode == 0, done.stderr
  found = outcomes.read_run(tmp_path / 'run', {})
  assert found.status == 'finished' and found.final[gradient_variance.METRIC] > 0


def test_the_table_names_cells_without_runs_and_pairs_the_seeds():
  def cell(n, values):
    runs = tuple(outcomes.RunResult(
        {'seed': seed}, 'finished' if value else 'missing', '',
        {'scheme': 'fixed', 'multiplicity': n, 'unique': 16 // n, 'views': 16, 'updates': 8},
        {gradient_variance.METRIC: value} if value else {})
                 for seed, value in enumerate(values))
    return reduction.Cell({'scheme': 'fixed', 'multiplicity': n}, runs, {}, {})

  header, one, two, four = gradient_variance.rows_of(
      [cell(1, (1.0, 10.0)), cell(2, (2.0, 20.0)), cell(4, (None, None))])
  assert dict(zip(header, two, strict=True)) | {'±': 0.0} == {
      'scheme': 'fixed', 'n': 2, 'unique': 8, 'views': 16, 'minibatches': 8, 'variance': 11.0,
      '±': 0.0, 'ratio': 2.0, 'seeds': 2, 'state': 'finished'}
  assert one[7] == 1.0 and four[5] == 'no run' and four[-1] == '2 missing'
