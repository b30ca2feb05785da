"""Runs to cells (pitfalls P12, P13), on folders made by hand."""

import json

import pytest

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.reporting import figures
from nfnets_am.reporting import pictures
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction


def _run(workdir, name, final, status='finished', loss=0.5, **details):
  folder = workdir / name
  folder.mkdir(parents=True)
  (folder / 'status.json').write_text(json.dumps(
      {'status': status, 'update': 20, 'updates': 20, **details}))
  (folder / 'run.json').write_text(json.dumps({'derived': {'views': 64, 'updates': 20}}))
  lines = [{'update': update, 'epochs': 1.0, 'split': split, **values}
           for update in (10, 20)
           for split, values in (('test', {'top1': final if update == 20 else 0.1}),
                                 ('train', {'loss': loss}))]
  (folder / 'metrics.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))


def _sweep(seeds, ns=(1,), **options):
  return experiment_file.Sweep(
      title='By hand', cells=tuple({'multiplicity': n, 'seed': s} for n in ns for s in seeds),
      **options)


def _reduce(sweep, workdir):
  runs = [experiment_file.Run(cell, cells_lib.cell_name(cell), (), schema.get_default())
          for cell in sweep.cells]
  return reduction.reduce(sweep, runs, outcomes.Reader(workdir))


def test_mean_of_the_best_5_of_7():
  values = [74.0, 74.2, 74.1, 73.0, 74.3, 74.4, 70.1]
  best = reduction.summarise(values, 'test/top1', best_of=5)
  assert best.mean == pytest.approx(74.2) and best.runs == 5
  assert best.deviation == pytest.approx(0.141421, rel=1e-5)
  assert reduction.summarise(values, 'test/top1').mean == pytest.approx(73.442857)
  # Of a loss the best are the lowest.
  assert reduction.summarise([3.0, 1.0, 2.0], 'train/loss', best_of=2).mean == 1.5


def test_cells_gather_the_seeds_and_name_what_is_missing(tmp_path):
  _run(tmp_path, 'multiplicity=1,seed=0', 0.7)
  _run(tmp_path, 'multiplicity=1,seed=1', 0.9)
  _run(tmp_path, 'multiplicity=4,seed=0', 0.8)
  _run(tmp_path, 'multiplicity=4,seed=1', 0.99, status='diverged', reason='not finite')
  sweep = _sweep((0, 1), (1, 4, 8), others=('train/loss',))
  results = _reduce(sweep, tmp_path)
  cells = results.cells
  assert [cell.key for cell in cells] == [{'multiplicity': n} for n in (1, 4, 8)]
  assert cells[0].summaries['test/top1'].mean == pytest.approx(0.8)
  assert cells[0].state == 'finished'
  # The diverged run's metrics never count.
  assert cells[1].summaries['test/top1'] == reduction.Summary(0.8, 0.0, 1)
  assert cells[1].state == '1 diverged'
  assert cells[2].summaries == {} and cells[2].state == '2 missing'

  header, rows = figures.table_of(results)
  assert len(header) == len(rows[0])
  assert rows[0][1] == '80.00% ± 10.00%'
  assert rows[2][1] == 'no run' and rows[2][-1] == '2 missing'
  page = figures.markdown(results, 'the command')
  assert 'diverged (not finite)' in page and '`multiplicity=8,seed=1`: missing' in page
  table = figures.csv_rows(results)
  assert len(table) == 7
  assert table[4][:3] == [4, 1, 'diverged'] and table[4][3] == ''
  pictures.draw(results, tmp_path / 'report.png')
  assert (tmp_path / 'report.png').stat().st_size > 10_000


@pytest.mark.parametrize('command, typed', [
    (['/there/nfnets_am/nfnets_am/train.py', '--config=a b'],
     "python -m nfnets_am.train '--config=a b'"),
    (['/env/bin/nfnets-am', 'train', '--config=a'], 'nfnets-am train --config=a')])
def test_a_row_of_the_csv_says_what_made_the_run(tmp_path, command, typed):
  _run(tmp_path, 'multiplicity=1,seed=0', 0.5)
  _run(tmp_path, 'multiplicity=1,seed=1', 0.5)
  start = {'commit': 'abc', 'command': command, 'hardware': '8 x TPU v4'}
  (tmp_path / 'multiplicity=1,seed=0' / 'run.json').write_text(json.dumps({
      'derived': {'views': 64, 'updates': 20},
      'starts': [start, {**start, 'commit': 'def', 'hours': 1.5}, {**start, 'hours': 0.25}]}))
  header, first, second = figures.csv_rows(_reduce(_sweep((0, 1)), tmp_path))
  of = dict(zip(header, first, strict=True))
  assert (of['commit'], of['hardware']) == ('abc def', '8 x TPU v4')
  assert of['command'] == typed
  # The first start was killed: how long it ran nobody knows.
  assert of['hours'] == '> 1.75'
  assert dict(zip(header, second, strict=True))['hours'] == ''


def test_each_metric_has_its_own_best_learning_rate(tmp_path):
  for peak, top1, loss in ((0.1, 0.74, 0.5), (0.2, 0.73, 0.3)):
    _run(tmp_path, f'multiplicity=1,peak={peak},seed=0', top1, loss=loss)
  sweep = experiment_file.Sweep(
      title='Tuned', others=('train/loss',), tune='peak',
      cells=tuple({'multiplicity': n, 'peak': peak, 'seed': 0}
                  for n in (1, 4) for peak in (0.1, 0.2)))
  results = _reduce(sweep, tmp_path)
  best, missing = results.tuned('test/top1')
  assert best.key['peak'] == 0.1 and best.summaries['test/top1'].mean == pytest.approx(0.74)
  assert missing.key == {'multiplicity': 4, 'peak': 0.1} and missing.state == '1 missing'
  best = results.tuned('train/loss')[0]
  assert best.key['peak'] == 0.2 and best.summaries['train/loss'].mean == pytest.approx(0.3)
  _, rows = figures.table_of(results)
  assert len(rows) == 2
  assert rows[0][1] == '74.00% (peak 0.1)'
  assert rows[0][2] == '0.3000 (peak 0.2)'


def test_a_run_that_goes_on_is_not_averaged(tmp_path):
  _run(tmp_path, 'multiplicity=1,seed=0', 0.7, status='running')
  (cell,) = _reduce(_sweep((0,)), tmp_path).cells
  assert cell.summaries == {} and cell.state == '1 running'
  assert cell.runs[0].history['test/top1'] == [(10, 0.1), (20, 0.7)]


def test_a_run_counts_where_its_validation_was_best(tmp_path):
  lines = [(5, 0.2, 0.9), (10, 0.7, 0.6), (15, 0.7, 0.65), (20, 0.6, 0.8)]
  for seed, shift in ((0, 0.0), (1, 0.1)):
    _run(tmp_path, f'multiplicity=1,seed={seed}', 0.0)
    (tmp_path / f'multiplicity=1,seed={seed}' / 'metrics.jsonl').write_text(''.join(
        json.dumps({'update': update, 'epochs': 1.0, 'split': split, 'top1': value}) + '\n'
        for update, validation, test in lines
        for split, value in (('validation', validation), ('test', test + shift))))
  of = lambda **options: _reduce(_sweep((0, 1), **options), tmp_path)
  assert of().cells[0].summaries['test/top1'].mean == pytest.approx(0.85)
  # The first of two equal ones.
  best = of(at='validation/top1')
  assert best.cells[0].summaries['test/top1'].mean == pytest.approx(0.65)
  assert 'with the best validation/top1' in figures.caption(best.sweep)
  # What was not measured chooses nothing.
  assert of(at='validation/loss').cells[0].summaries['test/top1'].mean == pytest.approx(0.85)
  with pytest.raises(errors.ConfigError, match="nothing can be chosen by 'test/images'"):
    _sweep((0,), at='test/images')
