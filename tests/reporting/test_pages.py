"""The page of all experiments of a folder."""

import pathlib
import shutil

import pytest

from nfnets_am.core import errors
from nfnets_am.reporting import pages
from tests import commands


def test_all_experiments_on_one_page_before_anything_has_run(tmp_path):
  names = ('figure2', 'figure10', 'table1', 'table2')
  folder = tmp_path / 'experiments'
  folder.mkdir()
  for name in names:
    shutil.copy(pathlib.Path('experiments/fort2021') / f'{name}.py', folder)
  summary = pages.write_all(folder, tmp_path, 'smoke', 'the command')
  # Of claims without runs nothing is said, nor of what no run of the plan can say.
  assert summary.counts == '0 holds, 0 does not hold, 0 not resolved, ' + (
      f'{len(summary.claims) - 2} not run, 2 not run here')
  page = summary.path.read_text()
  assert page.index('[figure2]') < page.index('[figure10]')
  for name in names:
    assert f'[{name}]({name}.md)' in page
    assert (tmp_path / 'report' / f'{name}.png').exists()
  # The disagreement of the two readings of Table 1 is on the page.
  assert 'readings disagree: 84.53 (001); none (000)' in page
  assert '86.78' in page and '| no run |' in page
  assert 'runs are done at' in page and '| not run |' in page


def test_an_experiment_that_does_not_know_the_scale_is_named(tmp_path):
  for name, cells in (('a', '({"n": 1, "seed": 0},)'), ('b', 'None')):
    (tmp_path / f'{name}.py').write_text(f"""
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file


def get_config(cell=''):
  cells_lib.parse_cell(cell, {{'n': 1, 'seed': 0}})
  config = schema.get_default()
  config.unique = 16
  return config


def get_sweep(scale='full'):
  cells = {cells}
  if cells is None:
    raise errors.ConfigError('not at this scale')
  return experiment_file.Sweep('Title of {name}', cells)
""")
  summary = pages.write_all(tmp_path, tmp_path / 'runs', 'full', 'the command')
  page = summary.path.read_text()
  assert '| [a](a.md) | Title of a | 1 | 0 | 0 |' in page and '| b | not at this scale |' in page
  with pytest.raises(errors.ConfigError, match='no experiment file'):
    pages.write_all(tmp_path / 'runs', tmp_path, '', '')


@pytest.mark.slow
def test_the_command_asks_for_one_experiment_or_all(tmp_path):
  done = commands.run('nfnets_am.report', '--all', f'--workdir={tmp_path}')
  assert done.returncode == 1 and done.stderr.startswith('error: say either --experiment=FILE')
