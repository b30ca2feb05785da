"""Weights leave a run as a file, are evaluated without it, and start another run."""

import json
import shutil

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.models import model as model_lib
from nfnets_am.models import pretrained
from nfnets_am.training import run as run_lib
from tests import commands
from tests import tiny

_MODEL = '--config.model.name=nfnet_tiny'
_SHORT = '--config.budget=8 updates'


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  """A finished run of a tiny NFNet, and its raw and averaged weights as files."""
  folder = tmp_path_factory.mktemp('trained')
  commands.train(folder / 'run', _MODEL, _SHORT)
  for weights in ('raw', 'ema'):
    _ok('nfnets_am.export', f'--workdir={folder / "run"}', f'--out={folder / weights}.npz',
        f'--weights={weights}')
  return folder


def _ok(module, *flags):
  done = commands.run(module, *flags)
  assert done.returncode == 0, done.stderr
  return done.stdout.splitlines()[-1]


def _refused(module, *flags):
  done = commands.run(module, *flags)
  assert done.returncode == 1 and 'Traceback' not in done.stderr, done.stderr
  (error,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
  return error


def _start(file):
  return '--config.start.name=weights', f'--config.start.file={file}'


def _weights(state, prefix):
  """The arrays of a state below .params or .ema, by the names of pretrained.load."""
  return {key.removeprefix(prefix): w for key, w in state.items() if key.startswith(prefix)}


def _named(path):
  return {f"['{module}']['{name}']": w for module, weights in pretrained.load(path)[0].items()
          for name, w in weights.items()}


@pytest.mark.slow
def test_a_weights_file_evaluates_as_its_run(trained):
  run = json.loads(_ok('nfnets_am.evaluate', f'--workdir={trained / "run"}'))
  for name, prefix in (('raw', ''), ('ema', 'ema_')):
    found = json.loads(_ok(
        'nfnets_am.evaluate', f'--weights={trained / name}.npz', '--model=nfnet_tiny',
        '--data=fashion_mnist_small', '--batch=300'))
    assert found['images'] == run['images'] == 2000
    for key in ('loss', 'top1', 'top5'):
      assert found[key] == pytest.approx(run[prefix + key], rel=1e-5)
  assert run['loss'] != run['ema_loss']


@pytest.mark.slow
def test_a_weights_file_evaluates_on_encoded_images(tmp_path):
  """As a released file on ImageNet: cropped to the model's test size unless told otherwise."""
  _ok('nfnets_am.data.tools.stand_in', f'--data_dir={tmp_path}', '--train=16', '--test=12')
  model = models.create_model('nfnet_tiny', 1000)
  params, _ = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 28, 28, 3)))
  pretrained.export(params, {}, tmp_path / 'weights.npz')
  flags = (f'--weights={tmp_path / "weights.npz"}', '--model=nfnet_tiny', f'--data_dir={tmp_path}',
           '--batch=5')
  small, large = (json.loads(_ok('nfnets_am.evaluate', *flags, *more))
                  for more in ((), ('--size=40', '--eval_crop=crop_resize')))
  assert small['images'] == large['images'] == 12
  assert small['loss'] == pytest.approx(np.log(1000), abs=0.2) and small['loss'] != large['loss']


@pytest.mark.slow
def test_a_run_starts_from_a_file_and_resumes_without_it(trained, tmp_path):
  file, workdir = tmp_path / 'start.npz', tmp_path / 'run'
  shutil.copy(trained / 'raw.npz', file)
  # With no learning rate the weights stay what they were at the start, and so does their average,
  # but for its rounding.
  commands.train(tmp_path / 'still', _MODEL, '--config.budget=1 updates',
                 '--config.schedule.peak=0.0', *_start(file))
  state = commands.final_state(tmp_path / 'still')
  for prefix, rtol in (('.params', 0.0), ('.ema.params', 1e-6)):
    commands.assert_same(_named(file), _weights(state, prefix), rtol)

  flags = (_MODEL, _SHORT, *_start(file))
  commands.train(workdir, *flags)
  whole = commands.final_state(workdir)
  first, second = (json.loads((folder / 'metrics.jsonl').read_text().splitlines()[0])
                   for folder in (trained / 'run', workdir))
  assert first['split'] == second['split'] == 'train_views' and first['loss'] != second['loss']
  file.unlink()
  shutil.rmtree(workdir / 'checkpoints' / '8')
  (workdir / 'status.json').unlink()
  commands.train(workdir, *flags)
  assert json.loads((workdir / 'run.json').read_text())['starts'][-1]['update'] == 4
  commands.assert_same(whole, commands.final_state(workdir))


@pytest.mark.slow
def test_what_does_not_fit_is_one_sentence(trained, tmp_path):
  run = tmp_path / 'run'
  train = ('nfnets_am.train', f'--config={commands.TINY}', f'--workdir={run}')
  assert 'missing.npz cannot be read' in _refused(*train, *_start(tmp_path / 'missing.npz'))
  error = _refused(*train, *_start(trained / 'raw.npz'))
  assert 'raw.npz' in error and 'missing (' in error and 'extra (NFNet/' in error
  assert not run.exists()
  weights = f'--weights={trained / "raw.npz"}'
  assert '--model' in _refused('nfnets_am.evaluate', weights)
  assert '--size is for encoded images' in _refused(
      'nfnets_am.evaluate', weights, '--model=nfnet_tiny', '--data=mnist', '--size=32')
  assert 'one of the two' in _refused('nfnets_am.evaluate')
  assert 'raw.npz' in _refused('nfnets_am.evaluate', weights, '--model=wide_resnet',
                               '--data=fashion_mnist_small')


@pytest.mark.parametrize('classes', [10, 7])
def test_the_first_state_takes_everything_that_fits(tmp_path, classes):
  model = models.create_model('wide_resnet_tiny', classes)
  shapes, _ = jax.eval_shape(
      lambda: model.init(jax.random.key(0), jnp.zeros((1, 28, 28, 1)), model_lib.TRAINING))
  draw = np.random.default_rng(0)
  params = jax.tree.map(lambda x: draw.normal(size=x.shape).astype(np.float32), shapes)
  pretrained.export(params, {}, tmp_path / 'weights.npz')
  config = tiny.get_config()
  config.start = ml_collections.ConfigDict(
      {'name': 'weights', 'file': str(tmp_path / 'weights.npz')})
  run = run_lib.build(config)
  state, fresh = run.start(run.backend), run.experiment.first_state()
  new = [module for module, weights in params.items()
         if any(not np.array_equal(state.params[module][name], w) for name, w in weights.items())]
  assert len(new) == (classes != 10)
  for module, weights in params.items():
    expected = fresh.params[module] if module in new else weights
    for name in weights:
      np.testing.assert_array_equal(state.params[module][name], expected[name])
      np.testing.assert_array_equal(state.ema.params[module][name], expected[name])
  if new:
    assert state.params[new[0]]['w'].shape[-1] == 10
  # From a checkpoint the file is not needed.
  (tmp_path / 'weights.npz').unlink()
  assert run_lib.build(config, begins=False).start is None
  with pytest.raises(errors.UserError, match='weights.npz'):
    run_lib.build(config)
