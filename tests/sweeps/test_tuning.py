"""Grids of learning rates that grow while the best lies on an edge, on folders made by hand."""

import json

import pytest

from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from nfnets_am.sweeps import tuning

_FILE = """
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.sweeps import experiment_file


def get_config(cell=''):
  cell = cells_lib.parse_cell(cell, {'multiplicity': 1, 'peak': 0.1, 'seed': 0})
  config = schema.get_default()
  config.unique = 16
  config.multiplicity = cell['multiplicity']
  config.schedule.peak = cell['peak']
  config.seed = cell['seed']
  return config


def get_sweep():
  return experiment_file.Sweep(
      title='By hand', tune='peak', tune_factor=2.0, others=('train/loss',), **OPTIONS,
      cells=tuple({'multiplicity': n, 'peak': peak, 'seed': seed}
                  for n in NS for peak in (0.1, 0.2, 0.4) for seed in SEEDS))
"""


def _experiment(tmp_path, ns=(1,), seeds=(0,), **options):
  path = tmp_path / 'experiment.py'
  path.write_text(_FILE.replace('OPTIONS', repr(options)).replace(
      'in NS', f'in {ns}').replace('in SEEDS', f'in {seeds}'))
  return path, experiment_file.get_sweep(path)


def _finish(path, sweep, workdir, outcomes, split='test'):
  """Writes the folders of cells: {(n, peak, seed): top1, or a status}; returns nothing."""
  for run in experiment_file.get_runs(path, sweep):
    outcome = outcomes.get((run.cell['multiplicity'], run.cell['peak'], run.cell['seed']))
    if outcome is None:
      continue
    folder = workdir / run.name
    folder.mkdir(parents=True, exist_ok=True)
    status = outcome if isinstance(outcome, str) else 'finished'
    (folder / 'status.json').write_text(json.dumps({'status': status, 'updates': 20}))
    value = 0.99 if isinstance(outcome, str) else outcome
    (folder / 'metrics.jsonl').write_text(json.dumps(
        {'update': 20, 'epochs': 1.0, 'split': split, 'top1': value}) + '\n')


def _grow(path, sweep, workdir, values):
  """Runs and extends, as a launcher does, until nothing is added; returns the peaks by n."""
  rounds = 0
  while True:
    outcomes = {(cell['multiplicity'], cell['peak'], cell['seed']):
                values(cell['multiplicity'], cell['peak'], cell['seed']) for cell in sweep.cells}
    _finish(path, sweep, workdir, outcomes)
    longer = _extended(path, sweep, workdir)
    if len(longer.cells) == len(sweep.cells):
      return sweep, rounds
    sweep, rounds = longer, rounds + 1


def _extended(path, sweep, workdir):
  runs = experiment_file.get_runs(path, sweep)
  longer, more = tuning.extend(path, sweep, runs, outcomes.Reader(workdir))
  # The runs are those of the longer sweep, made anew.
  assert [(run.cell, run.name) for run in more] == [
      (run.cell, run.name) for run in experiment_file.get_runs(path, longer)]
  return longer


def _peaks(sweep, n=1):
  return sorted({cell['peak'] for cell in sweep.cells if cell['multiplicity'] == n})


def test_nothing_is_added_while_a_run_of_the_grid_is_not_done(tmp_path):
  path, sweep = _experiment(tmp_path)
  assert _extended(path, sweep, tmp_path / 'none') is sweep
  for other in ('running', 'stopped', 'failed', None):
    workdir = tmp_path / str(other)
    _finish(path, sweep, workdir, {(1, 0.1, 0): 0.5, (1, 0.2, 0): other, (1, 0.4, 0): 0.7})
    assert _extended(path, sweep, workdir) is sweep


def test_a_best_inside_needs_nothing_and_one_on_an_edge_a_cell_for_every_seed(tmp_path):
  path, sweep = _experiment(tmp_path, ns=(1, 4), seeds=(0, 1))
  inside = {(1, peak, seed): top1 for peak, top1 in ((0.1, 0.5), (0.2, 0.7), (0.4, 0.6))
            for seed in (0, 1)}
  high = {(4, peak, seed): peak for peak in (0.1, 0.2, 0.4) for seed in (0, 1)}
  _finish(path, sweep, tmp_path, inside | high)
  longer = _extended(path, sweep, tmp_path)
  assert longer.cells[:len(sweep.cells)] == sweep.cells
  assert longer.cells[len(sweep.cells):] == (
      {'multiplicity': 4, 'peak': 0.8, 'seed': 0}, {'multiplicity': 4, 'peak': 0.8, 'seed': 1})
  # The same folders call for the same cells, whoever asks, and a cell that was added stays.
  assert _extended(path, longer, tmp_path) == longer
  assert _extended(path, sweep, tmp_path) == longer


def test_the_grid_follows_the_best_to_its_place_and_stops_there(tmp_path):
  path, sweep = _experiment(tmp_path)
  grown, rounds = _grow(path, sweep, tmp_path / 'up', lambda n, peak, s: 1 - abs(peak - 1.6) / 9)
  assert rounds == 3 and _peaks(grown) == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2]
  # From the file's own grid, with all the folders there: the same cells at once.
  assert _extended(path, sweep, tmp_path / 'up').cells == grown.cells
  grown, _ = _grow(path, sweep, tmp_path / 'down', lambda n, peak, s: 1 - abs(peak - 0.05))
  assert _peaks(grown) == [0.025, 0.05, 0.1, 0.2, 0.4]


def test_a_diverged_run_is_the_worst(tmp_path):
  path, sweep = _experiment(tmp_path)
  # Its metrics, left from before it diverged, would win.
  _finish(path, sweep, tmp_path / 'a',
          {(1, 0.1, 0): 0.5, (1, 0.2, 0): 0.6, (1, 0.4, 0): 'diverged'})
  assert _extended(path, sweep, tmp_path / 'a') is sweep
  _finish(path, sweep, tmp_path / 'b', {(1, peak, 0): 'diverged' for peak in (0.1, 0.2, 0.4)})
  assert _peaks(_extended(path, sweep, tmp_path / 'b')) == [0.05, 0.1, 0.2, 0.4]
  # Always: it ends.
  grown, rounds = _grow(path, sweep, tmp_path / 'c', lambda n, peak, s: 'diverged')
  assert len(_peaks(grown)) == tuning.MOST_VALUES == 3 + rounds


@pytest.mark.parametrize('best_of, added', [(2, [0.8]), (3, [])])
def test_diverged_runs_count_where_too_few_others_finished(tmp_path, best_of, added):
  path, sweep = _experiment(tmp_path, seeds=(0, 1, 2), best_of=best_of)
  found = {(1, peak, seed): top1 for peak, top1 in ((0.1, 0.5), (0.2, 0.6), (0.4, 0.7))
           for seed in range(3)}
  found[1, 0.4, 2] = 'diverged'
  _finish(path, sweep, tmp_path, found)
  longer = _extended(path, sweep, tmp_path)
  assert _peaks(longer)[3:] == added
  (best,) = reduction.reduce(sweep, experiment_file.get_runs(path, sweep),
                             outcomes.Reader(tmp_path)).tuned('test/top1')
  assert best.key['peak'] == (0.4 if added else 0.2)


def test_the_split_that_selects_is_the_one_that_is_named(tmp_path):
  path, sweep = _experiment(tmp_path, select='validation')
  outcomes = {(1, 0.1, 0): 0.5, (1, 0.2, 0): 0.7, (1, 0.4, 0): 0.8}
  _finish(path, sweep, tmp_path / 'a', outcomes, split='validation')
  assert _peaks(_extended(path, sweep, tmp_path / 'a'))[-1] == 0.8
  _finish(path, sweep, tmp_path / 'b', outcomes, split='test')
  with pytest.raises(errors.ConfigError, match="'validation/top1' chooses peak.*test/top1"):
    _extended(path, sweep, tmp_path / 'b')


def test_plateaus_and_untuned_sweeps(tmp_path):
  path, sweep = _experiment(tmp_path)
  _finish(path, sweep, tmp_path, {(1, peak, 0): 0.5 for peak in (0.1, 0.2, 0.4)})
  assert _extended(path, sweep, tmp_path) is sweep
  path, sweep = _experiment(tmp_path)
  assert _extended(path, experiment_file.Sweep('x', sweep.cells), tmp_path).tune == ''


def test_grids_are_exact_powers_around_their_centre():
  assert tuning.grid(0.1, 2) == (0.025, 0.05, 0.1, 0.2, 0.4)
  assert tuning.grid(0.0625, 5) == tuple(2.0 ** k for k in range(-9, 2))
  assert tuning.grid(1.6, 0) == (1.6,)
