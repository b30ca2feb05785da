"""The miniature of chapter 2: its cells, and what its report says of runs made by hand."""

import json

import pytest

from experiments.summers2021 import recipes
from experiments.summers2021 import small
from experiments.summers2021 import small_claims
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.optim import schedules
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from tests import commands

_SMALL = commands.ROOT / 'experiments' / 'summers2021' / 'small.py'


def _config(cell=''):
  return experiment_file.get_config(f'{_SMALL}:{cell}')


def test_every_method_has_three_seeds_and_the_rate_of_the_baseline():
  sweep = experiment_file.get_sweep(_SMALL, 'small')
  runs = experiment_file.get_runs(_SMALL, sweep)
  assert len({run.name for run in runs}) == len(sweep.cells) == 17 * 3 + 4
  at_peak = {(cell['method'], cell['seed']) for cell in sweep.cells if cell['peak'] == small.PEAK}
  assert at_peak == {(method, seed) for method in recipes.METHODS for seed in range(3)}
  assert {cell['method'] for cell in sweep.cells if cell['peak'] != small.PEAK} == {'baseline'}


@pytest.mark.parametrize('scale', ['small', 'smoke'])
def test_images_of_one_channel_are_mixed_in_pairs(scale):
  for method in recipes.METHODS:
    config = _config(f'method={method},scale={scale}')
    schema.validate(config)
    way = ops.parse(config.data.augment).bind((0.5,), (0.5,))
    way.check(28, 28)
    assert config.penalty == 'l2(coefficient=5e-4)'
    if method != recipes.BASELINE:
      assert way.mix.partners == 'pairs'
      assert getattr(way.mix.methods[0], 'channels', 1) == 1


def test_the_pieces_of_the_rate_are_the_thesis_in_small():
  config = _config('peak=0.1')
  derived = derived_lib.derive(config, train_images=500)
  assert (derived.updates, derived.views, derived.epochs) == (1250, 64, 160)
  rate = schedules.SCHEDULES.make('piecewise', 0.1, 1250, **{
      key: value for key, value in config.schedule.to_dict().items()
      if key in ('boundaries', 'scales', 'inclusive')})
  # 1250 / 85,954 of 400, 32,000, 48,000 and 70,000 are 5.8, 465.4, 698.0 and 1,018.0.
  assert [float(rate(t)) for t in (6, 7, 465, 466, 698, 699, 1018, 1019)] == pytest.approx(
      [0.01, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.0001])


def test_what_a_cell_cannot_be_is_refused():
  for cell, words in (('scale=tiny', 'scale=tiny'), ('method=cutmix', "method='cutmix'")):
    with pytest.raises(errors.ConfigError, match=words):
      _config(cell)


def _cells(accuracies, images=0):
  """Cells whose runs have these test accuracies, {method: one for each seed}, of so many images."""
  cells = []
  for method, values in accuracies.items():
    key = {'method': method, 'peak': small.PEAK}
    facts = {'test/images': images} if images else {}
    runs = tuple(outcomes.RunResult({**key, 'seed': seed}, 'finished', '', {},
                                    {'test/top1': x, **facts})
                 for seed, x in enumerate(values))
    cells.append(reduction.Cell(key, runs, {}, {}))
  return cells


def _verdict(rows, compared):
  (row,) = [row for row in rows if row[1] == compared]
  return row[-1]


def test_claims_hold_do_not_hold_or_are_not_resolved():
  values = {
      'baseline': (0.75, 0.76, 0.74), 'mixup': (0.77, 0.781, 0.759), 'random_rows': (0.70, 0.71),
      'random_columns': (0.72, 0.70), 'bc_plus': (0.72, 0.731, 0.709),
      'random_pixels': (0.75, 0.76, 0.74), 'noisy_mixup': (0.74,)}
  rows = small_claims.claims(_cells(values), small.PEAK)
  assert _verdict(rows, 'mixup less baseline') == 'holds'
  assert _verdict(rows, 'BC+ less baseline') == 'does not hold'
  assert _verdict(rows, 'baseline less Rand. Pixels') == 'not resolved'
  assert _verdict(rows, 'Rand. Rows less Rand. Cols') == 'not resolved'
  # A single run has no error that is known.
  assert _verdict(rows, 'mixup less Noisy Mixup') == 'not resolved'
  assert _verdict(rows, 'VH-Mixup less mixup') == 'not run'
  assert small_claims.counts([['', '', '', 'holds'], ['', '', '', 'not run']]) == (
      '1 holds, 1 not run')
  # Of 2,000 images the error of a difference at 75% is 1.4 points: 2 and 3 points may be chance.
  rows = small_claims.claims(_cells(values, images=2000), small.PEAK)
  assert _verdict(rows, 'mixup less baseline') == 'not resolved'
  assert next(row for row in rows if row[1] == 'mixup less baseline')[2:] == [
      '+2.00', '3', '0.06', '1.35', '3.84', 'not resolved']


def test_the_report_says_what_was_run_and_what_was_not(tmp_path):
  workdir, out = tmp_path / 'runs', tmp_path / 'out'
  sweep = experiment_file.get_sweep(_SMALL, 'smoke')
  runs = experiment_file.get_runs(_SMALL, sweep)
  for i, run in enumerate(runs[:-1]):
    folder = workdir / run.name
    folder.mkdir(parents=True)
    (folder / 'status.json').write_text(json.dumps({'status': 'finished', 'updates': 6}))
    (folder / 'run.json').write_text(json.dumps({
        'derived': {'views': 64, 'updates': 6}, 'starts': [{'commit': 'abcdef0123456789'}]}))
    (folder / 'metrics.jsonl').write_text(''.join(json.dumps(
        {'update': 6, 'epochs': 1.0, 'split': split, 'loss': 0.5, 'top1': 0.3 + i / 100}) + '\n'
        for split in ('validation', 'test', 'train')))
  done = commands.run('experiments.summers2021.small_report', f'--workdir={workdir}',
                      f'--out={out}', '--scale=smoke')
  assert done.returncode == 0, done.stderr
  page = (out / 'summers2021_small.md').read_text()
  assert f'{len(runs) - 1} of {len(runs)} runs are finished' in page and '`abcdef0123`' in page
  # Run 1 is the baseline at the chosen rate, run 5 mixup's: five rates come first.
  place = [cells_lib.cell_name(run.cell) for run in runs].index(
      f'method=mixup,peak={small.PEAK},seed=0,scale=smoke')
  assert (f'| mixup less baseline | +{place - 1}.00 | 1 | unknown | none | unknown | not resolved |'
          in page)
  assert '| VH-Mixup less mixup | no runs |  |  |  |  | not run |' in page
  assert len((out / 'summers2021_small.csv').read_text().splitlines()) == 1 + len(runs)
  assert (out / 'summers2021_small.png').stat().st_size > 10_000
