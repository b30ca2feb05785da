"""Copies of a cell that go on after a stage: who, told by folders alone, and what their mean is."""

import numpy as np
import pytest

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.reporting import figures
from nfnets_am.sweeps import catalogue
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from nfnets_am.sweeps import selection
from nfnets_am.sweeps import stages
from tests.sweeps import copies

ON, OUT, BEGINS = selection.Way.GOES_ON, selection.Way.DROPPED, selection.Way.BEGINS
STAGE = stages.Selection(keep=3, until='3 epochs')
# The update at which that is.
END = 120


def _ways(folder, count, stage=STAGE):
  runs = [outcomes.read_run(folder / str(i), {}) for i in range(count)]
  return [fate.way for fate in selection.fates(stage, runs)]


def _summers(folder, seed=0):
  """20 copies at the end of 3 epochs, of which copies 4 and 11 diverged; returns the losses."""
  losses = np.random.default_rng(seed).permutation(20) / 10
  for i, loss in enumerate(losses):
    if i in (4, 11):
      copies.write(folder / str(i), {50: 0.001}, status='diverged', update=70, reason='not finite')
    else:
      # The line at the end counts, not the lower one before it.
      copies.write(folder / str(i), {50: 2 - loss, END: loss}, update=END)
  losses[[4, 11]] = np.inf
  return losses


@pytest.mark.parametrize('seed', range(3))
def test_the_3_of_20_with_the_lowest_training_loss_go_on(tmp_path, seed):
  best = set(np.argsort(_summers(tmp_path, seed))[:3])
  assert _ways(tmp_path, 20) == [ON if i in best else OUT for i in range(20)]


def test_the_same_are_kept_however_far_they_have_gone_on(tmp_path):
  losses = _summers(tmp_path)
  before, best = _ways(tmp_path, 20), np.argsort(losses)[:3]
  for i, (status, update) in zip(best, (
      ('running', END), ('failed', 0), ('diverged', 300)), strict=True):
    copies.write(tmp_path / str(i), {50: 1.0, END: losses[i], 200: 99.0}, status=status,
                 update=update, checkpoint=200)
  # One that another experiment has trained to the end has got no better by that.
  last = np.argsort(losses)[10]
  copies.write(tmp_path / str(last), {50: 1.0, END: losses[last], 400: 0.0}, status='finished',
               update=400, top1=1.0)
  assert _ways(tmp_path, 20) == before


@pytest.mark.parametrize('metric, better', [('train_views/loss', 1), ('train_views/top1', 0)])
def test_the_better_value_of_any_metric_is_kept_and_of_equal_ones_the_first(
    tmp_path, metric, better):
  for i, value in enumerate((0.5, 0.25, 0.25)):
    copies.write(tmp_path / str(i), {END: value}, update=END)
  for i in range(3):
    path = tmp_path / str(i) / 'metrics.jsonl'
    path.write_text(path.read_text().replace('"loss"', f'"{metric.partition("/")[2]}"'))
  stage = stages.Selection(keep=1, until='3 epochs', metric=metric)
  assert [way is ON for way in _ways(tmp_path, 3, stage)] == [i == better for i in range(3)]


@pytest.mark.parametrize('other', [
    None, {'status': 'running'}, {'status': 'failed'}, {'status': 'stopped', 'update': END - 1},
    # The line at the end is written before the checkpoint there.
    {'status': 'running', 'losses': {END: 0.5}}])
def test_all_begin_until_the_last_has_reached_the_end_of_the_stage(tmp_path, other):
  for i in range(4):
    copies.write(tmp_path / str(i), {END: 1.0 + i}, update=END)
  if other is not None:
    copies.write(tmp_path / '4', **{'losses': {40: 0.1}, **other})
  assert _ways(tmp_path, 5) == [BEGINS] * 5
  copies.write(tmp_path / '4', {END: 0.5}, update=END)
  assert _ways(tmp_path, 5) == [ON, ON, OUT, OUT, ON]


@pytest.mark.parametrize('state', [
    {'status': 'stopped', 'update': END}, {'status': 'running', 'update': END},
    {'status': 'failed', 'checkpoint': END}, {'status': 'running', 'losses': {END: 1., 121: 1.}},
    {'status': 'finished', 'update': 400}, {'status': 'diverged', 'update': 3}])
def test_a_run_that_has_reached_the_end_is_told_by_its_folder(tmp_path, state):
  copies.write(tmp_path / 'run', **{'losses': {END: 1.0}, **state})
  assert selection.reached(outcomes.read_run(tmp_path / 'run', {}), '3 epochs')


def test_no_more_copies_than_are_kept_or_no_stage_leave_all_alone(tmp_path):
  assert _ways(tmp_path, 3) == [ON] * 3
  assert _ways(tmp_path, 5, None) == [ON] * 5


def test_if_all_diverged_none_is_dropped_and_if_too_few_are_left_those_go_on(tmp_path):
  for i in range(5):
    copies.write(tmp_path / str(i), {}, status='diverged', update=9)
  assert _ways(tmp_path, 5) == [ON] * 5
  copies.write(tmp_path / '3', {END: 8.0}, update=END)
  assert _ways(tmp_path, 5) == [OUT, OUT, OUT, ON, OUT]


def test_a_metric_that_no_line_has_in_time_is_refused_by_name(tmp_path):
  for i in range(4):
    copies.write(tmp_path / str(i), {150: 1.0}, status='finished', update=400)
  with pytest.raises(errors.ConfigError, match='0 has no train_views/loss up to 3 epochs.*120 upd'):
    _ways(tmp_path, 4)


@pytest.mark.parametrize('changes, message', [
    ({'keep': 0}, 'stages.keep=0'), ({'until': '3'}, "stages.until='3' is not a duration"),
    ({'until': '0 epochs'}, 'more than nothing'),
    ({'metric': 'train_views/learning_rate'}, 'nothing can be chosen by'),
    ({'metric': 'train_views/los'}, 'unknown metric')])
def test_refuses(changes, message):
  with pytest.raises(errors.ConfigError, match=message):
    stages.Selection(**{'keep': 3, 'until': '3 epochs', **changes})


def _reduce(folder, count=20, stage=STAGE):
  sweep = experiment_file.Sweep(
      'By hand', tuple({'seed': i} for i in range(count)), stages=stage)
  runs = [experiment_file.Run(cell, str(i), (), schema.get_default())
          for i, cell in enumerate(sweep.cells)]
  return reduction.reduce(sweep, runs, outcomes.Reader(folder))


def test_the_numbers_of_a_cell_are_those_of_the_kept_copies(tmp_path):
  losses = _summers(tmp_path)
  best = np.argsort(losses)[:3]
  (cell,) = _reduce(tmp_path).cells
  assert cell.summaries == {} and not cell.done and cell.state == '3 stopped'
  for i, top1 in zip(best, (0.5, 0.6, 0.8), strict=True):
    copies.write(tmp_path / str(i), {END: losses[i], 400: 0.1}, status='finished', update=400,
                 top1=top1)
  # Trained to the end for another sweep: it has a number, which does not count here.
  other = np.argsort(losses)[5]
  copies.write(tmp_path / str(other), {END: losses[other], 400: 0.1}, status='finished',
               update=400, top1=0.99)
  results = _reduce(tmp_path)
  (cell,) = results.cells
  summary = cell.summaries['test/top1']
  assert (summary.runs, cell.counted, cell.done, cell.state) == (3, 3, True, 'finished')
  np.testing.assert_allclose(
      (summary.mean, summary.deviation), (np.mean([.5, .6, .8]), np.std([.5, .6, .8])))
  assert cell.scores['test/top1'] == summary.mean
  assert cell.history('train_views/loss')[0].tolist() == [END, 400]
  _, ((_, *row),) = figures.table_of(results)
  assert row[0] == '3/3' and row[-1] == 'finished'
  page = figures.markdown(results, 'the command')
  assert '3 of 20 kept by train_views/loss at 3 epochs, 2 diverged before (1 cell).' in page
  assert 'not finished' not in page
  rows = {row[0]: row for row in figures.csv_rows(results)[1:]}
  assert [i for i, row in rows.items() if row[1] == 'finished'] == sorted(best)
  assert rows[4][1] == 'not selected' and rows[4][-1] == 'not finite' and rows[4][2] == ''
  assert rows[other][-1] == (
      f'train_views/loss {losses[other]:.4f} at 3 epochs, place 6 of 20')


def test_a_kept_copy_that_diverges_later_is_the_cells_own(tmp_path):
  losses = _summers(tmp_path)
  for i, place in zip(np.argsort(losses)[:3], range(3), strict=True):
    copies.write(tmp_path / str(i), {END: losses[i]}, status='finished' if place else 'diverged',
                 update=400 if place else 300, top1=0.5 if place else None)
  (cell,) = _reduce(tmp_path).cells
  assert cell.state == '1 diverged' and cell.done
  assert cell.summaries['test/top1'].runs == 2 and cell.scores['test/top1'] == -np.inf


def test_nothing_counts_before_the_selection(tmp_path):
  for i in range(4):
    copies.write(tmp_path / str(i), {END: 1.0, 400: 0.1}, status='finished', update=400, top1=0.5)
  results = _reduce(tmp_path, 5)
  (cell,) = results.cells
  assert cell.summaries == {} and cell.scores == {} and cell.state == '1 missing'
  page = figures.markdown(results, 'the command')
  assert '4 of 5 have reached 3 epochs, of which 3 will go on (1 cell).' in page and '0/5' in page


_FILE = """
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import stages


def get_config(cell=''):
  cell = cells_lib.parse_cell(cell, {'n': 1, 'seed': 0})
  config = schema.get_default()
  config.unique = 16
  config.multiplicity = cell['n']
  config.seed = cell['seed']
  config.budget = '10 epochs'
  config.data.set = 'cifar10'
  return config


def get_sweep():
  return experiment_file.Sweep('Staged', tuple(
      {'n': n, 'seed': seed} for n in (1, 2) for seed in range(4)),
      stages=stages.Selection(keep=1, until='3 epochs'))
"""


def test_the_list_of_experiments_counts_and_names_what_stages_leave_out(tmp_path):
  path = tmp_path / 'staged.py'
  path.write_text(_FILE)
  entry = catalogue.read(path)
  # Of 4 copies one has 10 epochs and three have 3: 19 epochs of 50,000 images, once and twice.
  assert sum(load.views for load in entry.runs.values()) == 19 * 50_000 * 3
  for run in experiment_file.get_runs(path, experiment_file.get_sweep(path)):
    if run.cell['n'] == 1:
      copies.write(tmp_path / 'runs' / run.name, {END: 1.0 + run.cell['seed']}, update=END)
  (tmp_path / 'runs' / 'none').mkdir()
  for folder in (tmp_path / 'runs').iterdir():
    (folder / 'config.json').unlink(missing_ok=True)
  states = catalogue.read(path, reader=outcomes.Reader(tmp_path / 'runs')).states
  assert catalogue.state_of(states.values()) == '1 stopped, 3 not selected, 4 missing'


def test_copies_are_the_runs_that_differ_in_their_seed_alone():
  runs = [experiment_file.Run(cells_lib.parse_cell(text, {'n': 1, 'seed': 0}), text, (), None)
          for text in ('n=1,seed=0', 'n=2,seed=0', 'n=1,seed=3')]
  assert [[run.name for run in group] for group in selection.copies(runs)] == [
      ['n=1,seed=0', 'n=1,seed=3'], ['n=2,seed=0']]
