"""Measures of finished runs by their folders: which count, what is refused, what the command says.
"""

import json

import ml_collections
import numpy as np
import pytest

from nfnets_am import analysis
from nfnets_am.analysis import agreement
from nfnets_am.analysis import measures
from nfnets_am.analysis import of_runs
from nfnets_am.analysis import similarity
from nfnets_am.core import errors
from nfnets_am.evaluation import predictions
from nfnets_am.training import loop
from nfnets_am.training import sections
from tests import commands
from tests import tiny

_LABEL = np.random.default_rng(9).integers(0, 4, 50)


def _folder(path, *, status='finished', measure='', **files):
  """A run's folder, as far as a measure reads it; `files` are logits by the file's name."""
  path.mkdir(parents=True)
  (path / 'config.json').write_text(json.dumps({'measure': measure}))
  (path / 'status.json').write_text(json.dumps({'status': status}))
  for name, logits in files.items():
    predictions.write(path / 'predictions' / f'{name.replace("_at_", "-")}.npz',
                      {'label': _LABEL, 'logits': np.float32(logits)})
  return path


@pytest.fixture
def runs(tmp_path):
  """Six runs with snapshots, which are less apart, and three folders that are none."""
  rng = np.random.default_rng(0)
  logits = rng.normal(size=(6, 2, 50, 4)) + rng.normal(size=(50, 4))
  for i, (one, other) in enumerate(logits):
    _folder(tmp_path / f'run{i}', test=one, test_at_10=one, test_at_9=other)
  _folder(tmp_path / 'run_stopped', status='stopped')
  _folder(tmp_path / 'run_measured', measure='agreement()')
  (tmp_path / 'run_report').mkdir()
  return tmp_path, np.float32(logits)


def _measure(text, *patterns):
  return of_runs.of_runs(text, [str(one) for one in patterns], analysis.MEASURES)


def test_lines_are_the_functions_of_the_kept_logits(runs):
  path, logits = runs
  lines, files = _measure(
      'agreement(ensembles=(2, 3), snapshots=True, resamples=50)', path / 'run*')
  assert list(lines) == ['against', 'single', 'ensemble2', 'ensemble3']
  assert files == {'runs.json': [f'run{i}' for i in range(6)]}
  means = np.float32(logits.mean(1))
  expected = {'against': (logits[:, 0], 1), 'single': (means, 1), 'ensemble2': (means, 2),
              'ensemble3': (means, 3)}
  baseline = agreement.summary(agreement.Models(logits[:, 0]), _LABEL, resamples=50)
  for name, (values, size) in expected.items():
    row = agreement.summary(agreement.Models(values, size), _LABEL, resamples=50)
    share = lines[name].pop('reduction', None)
    assert lines[name] == pytest.approx(row, abs=1e-6)
    if name == 'against':
      assert share is None
    else:
      assert share == pytest.approx(agreement.reduction(row, baseline), abs=1e-5)
  assert lines['single']['disagreement'] < lines['against']['disagreement']


def test_lines_of_tokens(runs):
  path, logits = runs
  lines, _ = _measure('agreement(ensembles=(2,), tokens=True, resamples=50)', path / 'run*')
  assert list(lines) == ['single', 'ensemble2']
  for name, size in (('single', 1), ('ensemble2', 2)):
    assert lines[name] == agreement.of_tokens(
        agreement.Models(logits[:, 0], size), _LABEL, resamples=50)


def test_other_runs_or_another_evaluation_to_hold_them_against(runs):
  path, logits = runs
  for i, (one, _) in enumerate(logits):
    _folder(path / 'flipped' / f'run{i}', test=one / 2, flip=one * 2)
  where = str(path / 'flipped' / '*')
  one, _ = _measure(f'agreement(against=({where!r},), resamples=20)', path / 'run*')
  two, _ = _measure("agreement(evaluation='flip', against_evaluation='test', resamples=20)", where)
  # A factor changes the cross-entropy and nothing else.
  for lines in (one, two):
    a, b = lines['single'], lines['against']
    assert a['loss_sd'] != b['loss_sd'] and a['disagreement'] == b['disagreement']
    assert a['reduction'] == pytest.approx((1 - a['loss_sd'] / b['loss_sd']) / 5)


def test_what_cannot_be_compared_is_refused(runs):
  path, logits = runs
  for text, patterns, words in [
      ('agreement', [path / 'none*'], 'names no folder'),
      ('agreement', [path / 'run0'], 'name 1 finished runs; allowed: two or more'),
      ('agreement', [path / 'run0', path / 'run*0'], 'name 1 finished runs'),
      ('agreement', [path / 'run*', path / 'run_stopped'], 'run_stopped is stopped; allowed'),
      ('agreement', [path / 'run*', path / 'run_report'], 'run_report is no trained run'),
      ("agreement(evaluation='flip')", [path / 'run*'], 'flip.npz is missing; .*keep=True'),
      ("agreement(evaluation='flip', against_evaluation='test', snapshots=True)", [path / 'run*'],
       'no snapshots of the evaluation .flip.; it keeps them with keep_at'),
      ('agreement(ema=True)', [path / 'run*'], "has no 'ema_logits'; it holds: label, logits"),
      ('agreement(ensembles=(4,))', [path / 'run*'], r'ensembles=\(4,\) of 6 runs.*from 2 to 3'),
      ('agreement(resamples=1)', [path / 'run*'], 'resamples=1'),
      ('agreement', [], 'takes its runs from --runs'),
      ('gradient_variance', [path / 'run*'], 'measures a cell.*allowed with --runs: agreement'),
      ('agreement() | similarity()', [path / 'run*'], 'is 2 calls; allowed: one'),
      ('agrement', [path / 'run*'], "did you mean 'agreement'"),
      ("similarity(evaluation='test', layers=('block',))", [path / 'run*'], "has no 'block'"),
  ]:
    with pytest.raises(errors.UserError, match=words):
      _measure(text, *patterns)
  _folder(path / 'other0', test=logits[0, 0][:, :3])
  with pytest.raises(errors.UserError, match='other0.*of other examples'):
    _measure('agreement', path / 'run*', path / 'other0')
  _folder(path / 'other1', test=np.full((50, 4), np.nan))
  with pytest.raises(errors.UserError, match='other1.*not finite'):
    _measure('agreement', path / 'run*', path / 'other1')
  _folder(path / 'other2', test=logits[0, 0], test_at_9=logits[0, 0])
  with pytest.raises(errors.UserError, match='other2 holds 1 snapshots, .*run0 2'):
    _measure('agreement(snapshots=True)', path / 'run*', path / 'other2')


def test_the_command_prints_a_table_and_keeps_all_numbers(runs):
  path, _ = runs
  done = commands.run('nfnets_am.measure', 'agreement(ensembles=(2,), resamples=50)',
                      f'--runs={path}/run[0-5]', f'--out={path}/found.json')
  assert done.returncode == 0, done.stderr
  found = json.loads((path / 'found.json').read_text())
  assert found['runs.json'] == [f'run{i}' for i in range(6)]
  single = found['lines']['single']
  assert f'{100 * single["top1_sd"]:.2f}% ± {100 * single["top1_sd_error"]:.2f}%' in done.stdout
  assert 'ensemble2' in done.stdout and f'{single["correlation"]:.3f}' in done.stdout
  assert 'read 6 models of 50 x 4 logits' in done.stderr and '15 pairs in' in done.stderr
  for flags, words in [((f'--runs={path}/run*',), '--runs goes with a measure of runs'),
                       (('agreement', f'--workdir={path}'), '--workdir goes with --config'),
                       ((f'--workdir={path}',), '--config=FILE is missing')]:
    done = commands.run('nfnets_am.measure', *flags)
    assert done.returncode == 1 and words in done.stderr, done.stderr


def test_runs_that_trained_have_snapshots_features_and_a_cell_that_measures_them(tmp_path):
  """Two seeds; predictions stay at the ends of two cycles; a cell beside them says the numbers."""
  config = tiny.get_config('multiplicity=1')
  config.model = ml_collections.ConfigDict({'name': 'padded_resnet6', 'width': 4})
  config.penalty, config.ema, config.budget = '', 0.0, '6 updates'
  config.schedule = ml_collections.ConfigDict({'name': 'cosine', 'peak': 0.1, 'cycles': 2})
  config.evals.test.keep_at = ('50 percent', '6 updates')
  config.evals.test.every = '100 percent'
  config.evals.blocks = ml_collections.ConfigDict(
      {'name': 'features', 'keep': True, 'batch': 20, 'most': 1, 'every': '100 percent',
       'layers': ('stage0_block0', 'stage0_block1')})
  for seed in (0, 1):
    config.seed = seed
    loop.train(config.copy_and_resolve_references(), tmp_path / f'seed{seed}')
  there = {path.name for path in (tmp_path / 'seed0' / 'predictions').iterdir()}
  assert there == {'test.npz', 'test-3.npz', 'test-6.npz', 'blocks.npz'}
  first, last, newest = (predictions.read(tmp_path / 'seed0' / 'predictions' / f'{name}.npz')
                         for name in ('test-3', 'test-6', 'test'))
  np.testing.assert_array_equal(last['logits'], newest['logits'])
  assert (first['logits'] != last['logits']).any()
  lines = [json.loads(line) for line in (tmp_path / 'seed0' / 'metrics.jsonl').open()]
  assert [line['update'] for line in lines if line['split'] == 'test'] == [3, 6]

  config.measure = "agreement(runs=('seed?',), snapshots=True, resamples=20)"
  status = measures.measure(config, tmp_path / 'cell', analysis.MEASURES)
  assert status['status'] == 'finished'
  written = [json.loads(line) for line in (tmp_path / 'cell' / 'metrics.jsonl').open()]
  assert [line['split'] for line in written] == ['against', 'single']
  assert written[1]['models'] == 2 and 0 <= written[1]['disagreement'] <= 1

  # Those are meant whose config is the cell's, but for the seeds.
  config.seed, config.evals.test.most = 2, 0
  loop.train(sections.override(config.copy_and_resolve_references(), {'measure': ''}),
             tmp_path / 'other')
  config.evals.test.most = 1
  config.measure = "agreement(vary=('seeds.init',), count=2, resamples=20)"
  measures.measure(config, tmp_path / 'vary', analysis.MEASURES)
  assert json.loads((tmp_path / 'vary' / 'runs.json').read_text()) == ['seed0', 'seed1']
  for keys, words in (("vary=('seeds.init',), count=3", '2 of 3 runs are finished'),
                      ("vary=('seed.init',)", "no key 'seed.init'")):
    config.measure = f'agreement({keys})'
    with pytest.raises(errors.UserError, match=words):
      measures.measure(config, tmp_path / keys, analysis.MEASURES)
  with pytest.raises(errors.ConfigError, match='is for a cell'):
    _measure("agreement(vary=('seed',))", tmp_path / 'seed?')

  found, files = _measure("similarity(evaluation='blocks')", tmp_path / 'seed?')
  kept = [predictions.read(tmp_path / f'seed{i}' / 'predictions' / 'blocks.npz') for i in (0, 1)]
  assert kept[0]['stage0_block1'].shape == (20, 28, 28, 4)
  assert list(found) == ['stage0_block0', 'stage0_block1']
  for name, line in found.items():
    assert line['similarity'] == pytest.approx(
        similarity.linear_cka(kept[0][name], kept[1][name]), abs=1e-12)
    assert 0 < line['similarity'] < 1
  assert files['similarity.json']['runs'] == ['seed0', 'seed1']
  done = commands.run('nfnets_am.evaluate', f'--workdir={tmp_path / "seed0"}',
                      '--eval=views(flip=True)', f'--predictions={tmp_path / "flip.npz"}')
  assert done.returncode == 0, done.stderr
  flipped = predictions.read(tmp_path / 'flip.npz')
  assert flipped['logits'].shape == (2000, 10)
  assert 0 < np.abs(flipped['logits'][:128] - newest['logits']).max() < 5
  config.evals.blocks.layers, config.measure = ('block7',), ''
  with pytest.raises(errors.ConfigError, match="layers=\\('block7',\\).*stage0_block1, features"):
    loop.train(config, tmp_path / 'bad')
  with pytest.raises(errors.ConfigError, match="keep_at has '7 updates' in a run of 6"):
    loop.train(sections.override(config, {'evals.test.keep_at': ('7 updates',)}), tmp_path / 'late')
