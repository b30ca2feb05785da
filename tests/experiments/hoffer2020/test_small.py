"""The miniature: its cells are the columns, M and the correlations, and its page tells of them."""

import json

import pytest

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import small
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from tests import commands

_SMALL = commands.ROOT / 'experiments' / 'hoffer2020' / 'small.py'
_IMAGES = {'small': 500, 'smoke': 64}


def _derived(cell, scale='small'):
  config = experiment_file.get_config(f'{_SMALL}:{cells_lib.cell_name(cell)}')
  return derived_lib.derive(config, train_images=_IMAGES[scale])


def test_every_column_and_every_m_has_three_seeds_at_the_chosen_rate():
  sweep = experiment_file.get_sweep(_SMALL)
  runs = experiment_file.get_runs(_SMALL, sweep)
  # A measured cell is another than the run of the same training.
  assert len({run.name for run in runs}) == len(sweep.cells) == 31
  found = {tuple(cell[key] for key in ('norm', 'column', 'multiplicity', 'measured', 'seed'))
           for cell in sweep.cells if cell['peak'] == small.PEAK}
  wanted = {(norm, column, 1 if column == 'fixed_steps' else 8, 0)
            for norm in small.NORMS for column in recipes.COLUMNS}
  wanted |= {('batch', 'ba', m, 0) for m in (2, 4)} | {('batch', 'ba', 8, 1)}
  assert found == {(*cell, seed) for cell in wanted for seed in range(3)}
  steps, samples, ba = (_derived({'column': column, 'multiplicity': m}) for column, m in (
      ('fixed_steps', 1), ('fixed_samples', 8), ('ba', 8)))
  assert steps.updates == samples.updates == ba.updates == 1562
  assert samples.views == samples.unique == ba.views == 8 * steps.views == 128
  for cell, words in (('scale=tiny', 'scale=tiny'), ('column=both', "column='both'")):
    with pytest.raises(errors.ConfigError, match=words):
      experiment_file.get_config(f'{_SMALL}:{cell}')


def test_the_page_says_what_was_run_and_what_was_not(tmp_path):
  workdir, out = tmp_path / 'runs', tmp_path / 'out'
  runs = experiment_file.get_runs(_SMALL, experiment_file.get_sweep(_SMALL, 'smoke'))
  for i, run in enumerate(runs[:-1]):
    folder = workdir / run.name
    folder.mkdir(parents=True)
    derived = _derived(run.cell, 'smoke')
    (folder / 'status.json').write_text(json.dumps(
        {'status': 'finished', 'updates': derived.updates}))
    (folder / 'run.json').write_text(json.dumps({
        'derived': {**derived.__dict__, 'log_every': 3},
        'starts': [{'commit': 'abcdef0123456789'}]}))
    # Of 8 updates the last line covers two: it is no part of the norms.
    (folder / 'metrics.jsonl').write_text(''.join(
        json.dumps({'update': update, 'epochs': 1.0, **line}) + '\n' for update, line in (
            (3, {'split': 'train_views', 'gradient_norm': 1.0}),
            (6, {'split': 'train_views', 'gradient_norm': 2.0 + i}),
            (derived.updates, {'split': 'train_views', 'gradient_norm': 99.0}),
            (derived.updates, {'split': 'validation', 'top1': 0.5, 'images': 100}),
            (derived.updates, {'split': 'test', 'top1': 0.5 + i / 100, 'images': 100}))))
  done = commands.run('experiments.hoffer2020.small_report', f'--workdir={workdir}',
                      f'--out={out}', '--scale=smoke')
  assert done.returncode == 0, done.stderr
  page = (out / 'hoffer2020_small.md').read_text()
  assert f'{len(runs) - 1} of {len(runs)} runs are finished' in page and '`abcdef0123`' in page
  place = [run.cell['column'] for run in runs].index('fixed_samples')
  assert ('| batch | Baseline + fixed #samples | 32 | 1 | 4 | 8 | 256 | 2 x | '
          f'{50 + place:.2f}% | 50.00% | no run | 1/1 | finished |') in page
  # The measured run is the one that is missing; of smoke runs nothing is judged.
  assert page.count('no run | no run | no run') == 3 and '99' not in page.split('## Figures')[1]
  assert 'smoke runs |' in page and ' holds |' not in page
  assert len((out / 'hoffer2020_small.csv').read_text().splitlines()) == 1 + len(runs)
  assert (out / 'hoffer2020_small.png').stat().st_size > 10_000
