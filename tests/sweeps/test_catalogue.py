"""What experiments compute, and how far they are."""

import json
import re

import pytest

from nfnets_am.core import errors
from nfnets_am.costs import workload
from nfnets_am.sweeps import catalogue
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes


def _config(cell, **overrides):
  return experiment_file.get_config(f'experiments/fort2021/{cell}', overrides)


def test_flops_of_a_run_are_those_of_its_gradients():
  one = workload.of(_config('figure4.py:views=1024,multiplicity=1,epochs=128'))
  assert (one.updates, one.views) == (6_250, 6_250 * 1024)
  # WRN-16-4 on 32 x 32: 389 M multiply-adds forward, by hand from its channels and maps.
  stem, fc = 32 * 32 * 27 * 16, 256 * 100
  groups = 0
  for side, into, out in ((32, 16, 64), (16, 64, 128), (8, 128, 256)):
    groups += side**2 * (into * out + 9 * into * out + 3 * 9 * out * out)
  assert one.flops == 2 * 3 * (stem + groups + fc) * one.views
  four = workload.of(_config('figure4.py:views=1024,multiplicity=4,epochs=128'))
  assert four.flops == 4 * one.flops


def test_sam_takes_a_second_gradient_of_its_share():
  sizes = {'model.name': 'nfnet_f0', 'data.augment': 'crop(192) | normalise()'}
  plain, full, fifth = (
      workload.of(_config('table2.py', **sizes, **ascent)) for ascent in (
          {'ascent.name': 'none'}, {'ascent.rho': 0.05},
          {'ascent.rho': 0.05, 'ascent.fraction': 0.2}))
  assert full.flops == 2 * plain.flops and fifth.flops == pytest.approx(1.2 * plain.flops)
  # 6.98 G multiply-adds, as docs/models.md has them.
  assert plain.flops == pytest.approx(6 * 6.98e9 * plain.views, rel=2e-3)


def test_what_is_not_known_is_not_guessed():
  assert workload.of(_config('figure2.py', **{'data.set': 'tfds:something'})) is None
  row = catalogue.row_of('x', ('m',), ('d',), {'a': None}, {})
  assert row == ['x', 'm', 'd', '1', '?', '?']


def test_an_experiment_and_the_state_of_its_runs(tmp_path):
  (path,) = (p for p in catalogue.find('experiments') if p.name == 'quickstart.py')
  entry = catalogue.read(path, 'smoke')
  assert len(entry.runs) == 4 and entry.datasets == ('fashion_mnist_small',)
  assert not entry.states
  names = list(entry.runs)
  for name, status in zip(names, ('finished', 'diverged', 'running'), strict=False):
    (tmp_path / name).mkdir()
    (tmp_path / name / 'status.json').write_text(json.dumps({'status': status, 'updates': 40}))

  def state(folder):
    return catalogue.state_of(
        catalogue.read(path, 'smoke', outcomes.Reader(folder)).states.values())

  assert state(tmp_path) == '1 finished, 1 diverged, 1 running, 1 missing'
  assert state(tmp_path / 'none') == '4 missing'
  # Its name is right, but what it has trained is not.
  (tmp_path / names[0] / 'config.json').write_text(json.dumps({'budget': '7 epochs'}))
  assert state(tmp_path) == '1 diverged, 1 running, 1 other config, 1 missing'
  row = catalogue.row_of('quickstart', entry.models, entry.datasets, entry.runs, entry.states)
  # n = 1 and 4 of U = 16 for 40 updates, 2 seeds each.
  assert row[3:5] == ['4', f'{2 * 40 * (16 + 64):.3g}']


def test_experiments_are_found_in_the_order_of_their_numbers(tmp_path):
  names = [path.stem for path in experiment_file.find('experiments/fort2021')]
  figures = [int(re.match(r'figure(\d+)', name)[1]) for name in names if name.startswith('figure')]
  assert len(figures) > 10 and figures == sorted(figures)
  assert 'recipes' not in names and 'grids' not in names and 'table2' in names
  with pytest.raises(errors.ConfigError, match='no experiment file'):
    catalogue.find(tmp_path)
