"""Checks of claims, tables beside the paper and plots, on folders made by hand."""

import json
import math

import pytest

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.reporting import claims
from nfnets_am.reporting import comparison
from nfnets_am.reporting import figures
from nfnets_am.reporting import panels
from nfnets_am.reporting import pictures
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

# (n, epochs, peak) -> top1 of each seed.
_GRID = {
    (1, 16, 0.1): (0.60, 0.60), (1, 16, 0.2): (0.62, 0.62),
    (1, 32, 0.1): (0.70, 0.72), (1, 32, 0.2): (0.65, 0.66),
    (4, 16, 0.1): (0.75, 0.77), (4, 16, 0.2): (0.70, 0.70),
    (4, 32, 0.1): (0.74, 0.74), (4, 32, 0.2): (None, 0.99)}


def _sweep(cells=(), **options):
  return experiment_file.Sweep(
      title='By hand', best_of=2, tune='peak', peak_over='epochs', others=('train/loss',),
      cells=tuple(cells) or tuple(
          {'multiplicity': n, 'epochs': epochs, 'peak': peak, 'seed': seed}
          for n, epochs, peak in _GRID for seed in range(2)), **options)


def _results(sweep, workdir, without=()):
  """The reduced runs of _GRID; None is a diverged run, `without` has not been run."""
  runs = []
  for cell in sweep.cells:
    key = (cell['multiplicity'], cell['epochs'], cell['peak'])
    top1 = _GRID[key][cell['seed']]
    name = cells_lib.cell_name(cell)
    config = schema.get_default()
    config.multiplicity, config.views = cell['multiplicity'], 64
    config.schedule.peak = cell['peak']
    runs.append(experiment_file.Run(cell, name, (), config))
    if cell['multiplicity'] in without:
      continue
    folder = workdir / name
    folder.mkdir(exist_ok=True)
    (folder / 'status.json').write_text(json.dumps(
        {'status': 'finished' if top1 else 'diverged', 'updates': 20}))
    derived = {'views': 64, 'updates': 20 * cell['epochs'],
               'temperature': cell['peak'] * cell['multiplicity']}
    (folder / 'run.json').write_text(json.dumps({'derived': derived}))
    lines = [{'update': 20, 'epochs': 1.0, 'split': split, **values} for split, values in (
        ('test', {'top1': top1 or 0.999}), ('train', {'loss': 1 - (top1 or 0.999) + cell['peak']}))]
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(line) + '\n' for line in lines))
  return reduction.reduce(sweep, runs, outcomes.Reader(workdir))


_ONE, _FOUR = {'multiplicity': 1}, {'multiplicity': 4}


def test_the_peak_is_over_budgets_at_the_best_learning_rate(tmp_path):
  sweep = _sweep()
  results = _results(sweep, tmp_path)
  best = results.best(_FOUR)
  # 0.99 beside a run that diverged is not the best of two.
  assert (best.key['epochs'], best.key['peak']) == (16, 0.1)
  assert best.summaries['test/top1'].mean == pytest.approx(0.76)
  header, rows = comparison.peak_rows(results)
  assert header == ['multiplicity', 'peak test/top1', 'peak train/loss', 'runs done']
  assert rows[0][:2] == ['1', '71.00% ± 1.00% (epochs 32, peak 0.1), the largest epochs there are']
  assert rows[0][-1] == '8/8'


@pytest.mark.parametrize('check, outcome', [
    (claims.better(_FOUR, _ONE), 'holds'),
    (claims.better(_ONE, _FOUR), 'does not hold'),
    (claims.worse(_ONE, _FOUR), 'holds'),
    (claims.better(_FOUR, _ONE, 'train/loss'), 'holds'),
    # 76 ± 1 against 74 ± 0, each of two runs: two standard errors of 1.
    (claims.better({**_FOUR, 'epochs': 16}, {**_FOUR, 'epochs': 32}), 'not resolved'),
    (claims.all_of(claims.better(_FOUR, _ONE), claims.better(_ONE, _FOUR)), 'does not hold')])
def test_a_claim_holds_or_not(check, outcome, tmp_path):
  verdict = check(_results(_sweep(), tmp_path))
  assert verdict.outcome == outcome and verdict.ours


@pytest.mark.parametrize('check', [
    claims.better(_FOUR, _ONE), claims.not_worse(_FOUR, _ONE, 1),
    claims.smaller_gap((_FOUR, _ONE), (_ONE, _FOUR)), claims.rises('multiplicity', (1, 4)),
    claims.best_at('same', 'peak', _FOUR, _ONE), claims.stable_to('larger', 'peak', _FOUR, _ONE),
    claims.over(_ONE, _FOUR, 'epochs'), claims.together('multiplicity', 'peak', {}, 1),
    claims.reaches(_FOUR, 1.0), claims.beats(_FOUR, 1.0), claims.no_dearer(_FOUR, _ONE, 'updates'),
    claims.sooner(_FOUR, _ONE, 1), claims.all_of(claims.better(_FOUR, _ONE))])
def test_a_claim_without_its_runs_is_not_run(check, tmp_path):
  assert check(_results(_sweep(), tmp_path, without=(4,))).outcome == 'not run'
  assert check(_results(_sweep(), tmp_path / '..', without=(1, 4))).outcome == 'not run'
  without = [cell for cell in _sweep().cells if cell['multiplicity'] == 1]
  assert check(_results(_sweep(cells=without), tmp_path)).outcome in ('not run here', 'not run')


def _number(value, reading='both', cell=None, note='', uncertainty=None):
  return paper.Number(cell if cell is not None else {'multiplicity': 4, 'epochs': 16}, value,
                      'test/top1', uncertainty, reading, 'Table 1', note)


def test_numbers_beside_the_paper(tmp_path):
  sweep = _sweep(epsilons=(({'epochs': 16}, 3.0), ({}, 0.5)), numbers=(
      _number(75.5, uncertainty=0.1), _number(84.53, '001', _ONE, 'doubtful'),
      _number(None, '000', _ONE, 'empty'), _number(86.0, 'others', {'multiplicity': 99})))
  rows = comparison.number_rows(_results(sweep, tmp_path))
  assert rows[0] == ('multiplicity 4, epochs 16', 'Table 1', '75.5 ± 0.1',
                     '76.00 ± 1.00 (peak 0.1)', '+0.50', '2/2', '1.00', 'none', '2.85', '3',
                     'within')
  assert rows[1][2] == 'readings disagree: 84.53 (001); none (000)' and rows[1][4] == '-13.53'
  # 13.53 points with a standard error of 1.
  assert rows[1][-1] == 'below'
  # What others have measured stands in a table of its own.
  assert len(rows) == 2
  assert comparison.literature_rows(_results(sweep, tmp_path)) == [
      ('multiplicity 99', 'Table 1', '86', 'others')]
  assert comparison.doubts(sweep) == ['doubtful (multiplicity 1 (001))',
                                      'empty (multiplicity 1 (000))']
  (row, *_) = comparison.number_rows(_results(sweep, tmp_path / '..', without=(1, 4)))
  assert row[3:] == ('no run', '', '0/4', '', '', '', '3', 'not run')


def test_a_page_says_how_the_rate_was_chosen_and_what_is_missing(tmp_path):
  sweep = _sweep(tune_factor=2.0, numbers=(_number(75.5),), claims=(
      paper.Claim('More views are better.', '75.5', claims.better(_FOUR, _ONE)),))
  results = _results(sweep, tmp_path, without=(4,))
  page = figures.markdown(results, 'the command')
  assert 'the best 2 (or all, if fewer) finished runs' in page and 'chosen by test/top1' in page
  assert ('| More views are better. | 75.5 | 0 of 8 runs are done at multiplicity 4 | '
          + '| ' * 5 + 'not run |') in page.replace('|  ', '| ')
  assert 'multiplicity 1, epochs 16' in page and 'still lies on an edge' in page
  assert page.count(': missing') == 8
  # n = 4 has all its runs of 16 epochs, none diverged, and of 32 epochs one.
  _, rows = figures.table_of(_results(sweep, tmp_path))
  assert [row[-1] for row in rows] == ['finished', 'finished', 'finished', '1 diverged']


def test_points_are_the_best_of_their_grid_or_all_of_it(tmp_path):
  sweep = _sweep()
  results = _results(sweep, tmp_path)
  lines = panels.points(results, paper.Panel('', 'epochs'))
  assert lines[1, 0] == [(16, pytest.approx(62), 0), (32, pytest.approx(71), pytest.approx(1))]
  by_updates = panels.points(results, paper.Panel('', 'updates'))
  assert [x for x, *_ in by_updates[4, 0]] == [320, 640]
  lines = panels.points(results, paper.Panel(
      '', 'temperature', where={'epochs': 16}, tuned=False))
  assert [x for x, *_ in lines[4, 0]] == [pytest.approx(0.4), pytest.approx(0.8)]
  assert not panels.points(results, paper.Panel('', 'epochs', where={'epochs': 99}))
  # A growing batch has no temperature.
  for run in results.runs:
    run.derived['temperature'] = None
  assert not panels.points(results, paper.Panel('', 'temperature', tuned=False))
  assert math.isnan(results.cells[0].number('nothing'))


def test_a_figure_is_drawn_with_and_without_runs(tmp_path):
  sweep = _sweep(
      panels=(paper.Panel('(a)', 'epochs'), paper.Panel('(b)', 'peak', 'train/loss', tuned=False,
                                                        log_y=True),
              paper.Panel('(c)', 'updates', dashed='epochs')),
      numbers=(_number(75.5),))
  for name, without in (('all', ()), ('none', (1, 4))):
    folder = tmp_path / name
    folder.mkdir()
    pictures.draw(_results(sweep, folder, without), folder / 'report.png')
    assert (folder / 'report.png').stat().st_size > 10_000


def test_a_bad_file_of_numbers_is_refused(tmp_path):
  from nfnets_am.core import errors
  path = tmp_path / 'paper.json'
  path.write_text(json.dumps({'numbers': {'table1': [{'cell': {}}]}}))
  assert paper.read_numbers(path, 'table2') == ()
  with pytest.raises(errors.ConfigError, match='paper.json is not a file'):
    paper.read_numbers(path, 'table1')
