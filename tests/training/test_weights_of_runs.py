"""The weights of a run as a file: evaluated without the run, and what another run starts with.

The model has averages: moving statistics, and a count of updates.
"""

import json

import jax
import ml_collections
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.evaluation import evaluator
from nfnets_am.models import pretrained
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import loop
from nfnets_am.training import run as run_lib
from nfnets_am.training import saved
from tests import commands
from tests import tiny

_MODEL = {'name': 'resnet_tiny', 'norm': 'renorm(decay=0.5)'}
_SAID = "resnet_tiny(norm='renorm(decay=0.5)')"


def _config(model=_MODEL, **changes):
  config = tiny.get_config('multiplicity=1')
  config.model = ml_collections.ConfigDict(model)
  config.ema = 0.5
  return experiment_file.sections.override(config, {
      'budget': '3 updates', 'checkpoint.every': '3 updates', 'eval_every': '3 updates', **changes})


def _command(module, **values):
  """Runs a command; returns the last line that it prints, or its error."""
  done = commands.run(module, *(f'--{key}={value}' for key, value in values.items()))
  if done.returncode == 0:
    return done.stdout.splitlines()[-1]
  assert 'Traceback' not in done.stderr, done.stderr
  return next(line for line in done.stderr.splitlines() if line.startswith('error: '))


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
  folder = tmp_path_factory.mktemp('trained') / 'run'
  loop.train(_config(), folder)
  return folder


@pytest.fixture(scope='module')
def files(trained):
  found = {kind: trained.parent / f'{kind}.npz' for kind in ('raw', 'ema')}
  for kind, file in found.items():
    said = _command('nfnets_am.export', workdir=trained, out=file, weights=kind)
    assert said == f'weights {file}, {kind} of update 3'
  return found


def _assert_same(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  jax.tree.map(np.testing.assert_array_equal, a, b)


def test_a_file_holds_what_the_run_holds_and_a_run_starts_with_all_of_it(trained, files):
  run = saved.build(trained)
  held = evaluator.weights_of(saved.newest(trained, run)[1])
  for kind, prefix in (('raw', ''), ('ema', 'ema_')):
    params, averages = pretrained.load(files[kind])
    _assert_same((params, averages), tuple(held[prefix]))
    assert any(np.issubdtype(x.dtype, np.integer) and x == 3 for x in jax.tree.leaves(averages))
    start = run_lib.build(_config(**{'start.name': 'weights', 'start.file': str(files[kind])}))
    state = start.start(start.backend)
    # And the average of the weights starts there, with the statistics.
    _assert_same((params, averages), (state.params, state.averages))
    _assert_same((params, averages), tuple(state.ema))
  raw, ema = (pretrained.load(files[kind])[1] for kind in ('raw', 'ema'))
  floats = [(x, y) for x, y in zip(jax.tree.leaves(raw), jax.tree.leaves(ema), strict=True)
            if x.dtype == np.float32]
  assert all((x != y).any() for x, y in floats)


def test_a_file_evaluates_as_its_run(trained, files):
  run = json.loads(_command('nfnets_am.evaluate', workdir=trained))
  for kind, prefix in (('raw', ''), ('ema', 'ema_')):
    found = json.loads(_command(
        'nfnets_am.evaluate', weights=files[kind], model=_SAID, data='fashion_mnist_small'))
    assert found['images'] == run['images'] == 2000
    for key in ('loss', 'top1', 'top5'):
      assert found[key] == pytest.approx(run[prefix + key], rel=1e-5)
  assert run['loss'] != run['ema_loss']


@pytest.mark.parametrize('norm, words', [
    ('batch()', ['5 missing (averages:resnet_tiny/block0_norm0/variance', '10 extra', 'updates']),
    ('group()', ['5 missing (averages:resnet_tiny/block0_norm0/squares', '10 extra (',
                 'averages:resnet_tiny/block0_norm0/deviation']),
    ('none()', ['25 extra (averages:resnet_tiny/block0_norm0/deviation']),
])
def test_statistics_are_never_dropped_or_begun_again(files, norm, words):
  model = {'name': 'resnet_tiny', 'norm': norm}
  start = {'start.name': 'weights', 'start.file': str(files['raw'])}
  with pytest.raises(errors.UserError) as of_start:
    run_lib.build(_config(model, **start))
  said = _command('nfnets_am.evaluate', weights=files['raw'], model=f"resnet_tiny(norm='{norm}')",
                  data='fashion_mnist_small')
  for sentence in (str(of_start.value), said):
    for word in words:
      assert word in sentence


@pytest.mark.parametrize('model, changes, words', [
    ({**_MODEL, 'norm': 'batch()'}, {},
     ['10 missing (averages/resnet_tiny/block0_norm0/variance', '20 extra']),
    (_MODEL, {'optimizer.name': 'adam'}, ['missing (opt_state/']),
    (_MODEL, {'ema': 0.0}, ['extra (ema/averages/resnet_tiny']),
    ({'name': 'wide_resnet_tiny'}, {},
     ['missing (', 'extra (averages/resnet_tiny/block0_norm0/deviation']),
])
def test_another_runs_state_that_does_not_fit_is_named(trained, model, changes, words):
  start = {'start.name': 'run', 'start.workdir': str(trained), 'budget': '6 updates'}
  with pytest.raises(errors.UserError) as e:
    run_lib.build(_config(model, **start, **changes))
  for word in (f'{trained}', 'at update 3 does not fit this run', *words):
    assert word in str(e.value)
  assert 'remove' not in str(e.value)


def test_another_runs_state_that_fits_is_taken_whole(trained):
  config = _config(**{'start.name': 'run', 'start.workdir': str(trained), 'budget': '6 updates'})
  run = run_lib.build(config)
  _assert_same(saved.newest(trained, run)[1], run.start(run.backend))
