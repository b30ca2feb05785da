"""The miniature: its cells are the comparisons that its report makes, and the report tells them."""

import json

import pytest

from experiments import miniature
from experiments.fort2021 import small_claims
from experiments.fort2021 import small_picture
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from tests import commands

_SMALL = commands.ROOT / 'experiments' / 'fort2021' / 'small.py'
_IMAGES = {'small': 500, 'full': 55_000, 'smoke': 64}


def _derived(cell, scale='small'):
  config = experiment_file.get_config(f'{_SMALL}:{cell}')
  schema.validate(config)
  return derived_lib.derive(config, train_images=_IMAGES[scale])


@pytest.mark.parametrize('unique, n, epochs, updates', [
    (64, 1, 128, 1000), (64, 1, 512, 4000), (64, 1, 2048, 16_000), (32, 2, 64, 1000),
    (32, 2, 256, 4000), (16, 4, 32, 1000), (16, 4, 128, 4000), (16, 4, 512, 16_000),
    (16, 1, 32, 1000), (16, 1, 128, 4000), (16, 1, 512, 16_000)])
def test_budgets_meet_at_the_same_updates(unique, n, epochs, updates):
  derived = _derived(f'unique={unique},multiplicity={n},epochs={epochs}')
  assert (derived.updates, derived.views, derived.epochs) == (updates, unique * n, epochs)


@pytest.mark.parametrize('epochs, updates', [(32, 1000), (128, 4000)])
def test_neighbouring_updates_are_those_of_the_fixed_batch(epochs, updates):
  derived = _derived(f'scheme=neighbouring,unique=64,multiplicity=4,epochs={epochs}')
  assert (derived.updates, derived.views, derived.copies) == (updates, 64, 1)
  assert derived.scheme == 'neighbouring'


@pytest.mark.parametrize('scale', _IMAGES)
def test_every_cell_is_a_run_of_its_own(scale):
  sweep = experiment_file.get_sweep(_SMALL, scale)
  runs = experiment_file.get_runs(_SMALL, sweep)
  assert len({run.name for run in runs}) == len(sweep.cells)
  for cell in {cells_lib.cell_name({**cell, 'seed': 0, 'peak': 0.1}) for cell in sweep.cells}:
    _derived(cell, scale)


def test_what_a_cell_cannot_be_is_refused():
  for cell, words in (('scheme=outside', 'scheme=outside'), ('scale=tiny', 'scale=tiny')):
    with pytest.raises(errors.ConfigError, match=words):
      _derived(cell)


@pytest.mark.parametrize('values, images, outcome', [
    ((0.02, 0.03, 0.025), 0, 'holds'), ((-0.02, -0.03, -0.025), 0, 'does not hold'),
    ((0.04, -0.03, 0.01), 0, 'not resolved'), ((0.02,), 0, 'not resolved'),
    # Of 2,000 images the error of a difference at 75% is 1.4 points.
    ((0.02, 0.03, 0.025), 2000, 'not resolved'), ((0.05,), 2000, 'holds')])
def test_a_difference_is_paired_by_seed_and_has_both_errors(values, images, outcome):
  facts = {'test/images': images} if images else {}
  def cell(add):
    runs = tuple(outcomes.RunResult({'seed': seed}, 'finished', '', {}, {
        'test/top1': 0.7 + 0.05 * seed + add(seed), **facts}) for seed in range(len(values)))
    return reduction.Cell({}, runs, {}, {})
  more, less = cell(lambda seed: values[seed]), cell(lambda seed: 0)
  row = miniature.columns(miniature.difference(more, less, small_claims.ACCURACY))
  assert row[-1] == outcome and row[1] == str(len(values))
  if outcome == 'holds' and not images:
    # Deviation 0.005 (ddof 1), over the root of 3; the seeds' own scatter is in both.
    assert row[:4] == ['+2.50', '3', '0.29', 'none']
  other_way = miniature.columns(miniature.difference(more, less, small_claims.ACCURACY), sign=-1)
  turned = {'holds': 'does not hold', 'does not hold': 'holds'}
  assert other_way[-1] == turned.get(outcome, outcome) and other_way[:-1] == row[:-1]


def test_less_of_a_loss_is_better_and_is_printed_as_less():
  one, two = (reduction.Cell({}, tuple(outcomes.RunResult(
      {'seed': seed}, 'finished', '', {}, {'train/loss': loss + seed / 1000})
      for seed in range(3)), {}, {}) for loss in (0.5, 0.25))
  row = miniature.columns(miniature.difference(two, one, small_claims.LOSS))
  assert row[0] == '-0.2500' and row[-1] == 'holds'


def _cell(peak, seeds):
  """A cell whose runs are {seed: (validation accuracy, test accuracy)}; None did not finish."""
  key = {'scheme': 'within', 'unique': 64, 'multiplicity': 1, 'epochs': 128, 'peak': peak}
  runs = tuple(outcomes.RunResult(
      {**key, 'seed': seed}, 'finished' if pair else 'missing', '', {},
      {'validation/top1': pair[0], 'test/top1': pair[1]} if pair else {})
               for seed, pair in seeds.items())
  return reduction.Cell(key, runs, {}, {})


def test_the_learning_rate_is_chosen_on_validation_images_among_those_with_the_most_runs():
  lucky = _cell(0.2, {0: (0.90, 0.90), 1: None})
  low = _cell(0.05, {0: (0.70, 0.90), 1: (0.70, 0.90)})
  high = _cell(0.1, {0: (0.75, 0.80), 1: (0.10, 0.10)})
  assert small_claims.choose([lucky, low, high]) == [low]
  assert small_claims.choose([_cell(0.05, {0: None}), lucky]) == [lucky]
  assert small_claims.find([high], 'within', 64, 1, 128) is high
  assert small_claims.find([high], 'within', 64, 1, 512) is None


def test_differences_are_of_the_seeds_that_finished_in_both():
  more = _cell(0.1, {0: (0, 0.8), 1: (0, 0.9), 2: None})
  less = _cell(0.1, {0: (0, 0.7), 1: None, 2: (0, 0.1)})
  found = miniature.difference(more, less, small_claims.ACCURACY)
  assert (found.value, found.runs, found.seeds) == (pytest.approx(0.1), 1, None)
  assert miniature.difference(more, None, small_claims.ACCURACY) is None
  assert miniature.columns(None)[-1] == 'not run'


def _folders(tmp_path, scale='smoke'):
  """Makes the folders of all runs but the last, as if they had finished."""
  sweep = experiment_file.get_sweep(_SMALL, scale)
  runs = experiment_file.get_runs(_SMALL, sweep)
  for i, run in enumerate(runs[:-1]):
    folder = tmp_path / run.name
    folder.mkdir()
    derived = _derived(cells_lib.cell_name(run.cell), scale)
    (folder / 'status.json').write_text(json.dumps(
        {'status': 'finished', 'updates': derived.updates}))
    (folder / 'run.json').write_text(json.dumps({
        'derived': {'views': derived.views, 'updates': derived.updates},
        'starts': [{'commit': 'abcdef0123456789'}]}))
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(
        {'update': derived.updates, 'epochs': 1.0, 'split': split, 'loss': 0.5,
         'top1': 0.5 + i / 100}) + '\n' for split in ('validation', 'test', 'train')))
  return sweep, runs


def test_the_report_says_what_was_run_and_what_was_not(tmp_path):
  workdir, out = tmp_path / 'runs', tmp_path / 'out'
  workdir.mkdir()
  _folders(workdir)
  done = commands.run('experiments.fort2021.small_report', f'--workdir={workdir}',
                      f'--variance={tmp_path / "none"}', f'--out={out}', '--scale=smoke')
  assert done.returncode == 0, done.stderr
  page = (out / 'fashion_mnist_small.md').read_text()
  assert '`abcdef0123`' in page
  # Runs 0 and 1 are the seeds of n = 1, runs 2 and 3 those of n = 4, two points above.
  assert '| no runs |  |  |  |  | not run |' in page
  assert '| within | 16 | 1 | 16 | 5 | 20 | 0.05 | 50.50% ± 0.50% | 0.5000 ± 0.0000 | 2/2 |' in page
  assert '1 missing' in page
  assert len((out / 'fashion_mnist_small.csv').read_text().splitlines()) == 1 + 8
  assert (out / 'fashion_mnist_small.png').stat().st_size > 10_000
  # From the lines of that report alone the same page is made.
  done = commands.run('experiments.fort2021.small_report', f'--out={tmp_path / "again"}',
                      f'--data={out / "fashion_mnist_small.csv"}',
                      f'--variance={tmp_path / "none"}', '--scale=smoke')
  assert done.returncode == 0, done.stderr
  again = (tmp_path / 'again' / 'fashion_mnist_small.md').read_text()
  cells = lambda page: page[page.index('## Cells'):]
  assert cells(again) == cells(page) and '--data=' in again


def test_the_picture_takes_cells_without_runs(tmp_path):
  sweep, runs = _folders(tmp_path)
  cells = reduction.reduce(sweep, runs[-1:], outcomes.Reader(tmp_path)).cells
  small_picture.draw(cells, cells, [], tmp_path / 'empty.png')
  assert (tmp_path / 'empty.png').exists()
