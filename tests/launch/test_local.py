"""A small sweep on this machine: every cell ends in its state, and nothing runs twice."""

import json
import signal
import time

import pytest

from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections
from tests import commands

_EXPERIMENT = '''
"""Two cells that finish, one that diverges, one that fails when its step is traced."""
from nfnets_am.config import cells as cells_lib
from nfnets_am.sweeps import experiment_file
from tests import tiny

_CELL = {'multiplicity': 1, 'peak': 0.05, 'seed': 0}


def get_config(cell=''):
  cell = cells_lib.parse_cell(cell, _CELL)
  config = tiny.get_config(f'multiplicity={cell["multiplicity"]}')
  config.schedule.peak = cell['peak']
  config.seed = cell['seed']
  if cell['peak'] == 0.06:
    config.penalty = "l2(coefficient=1e-4, mask='norm_scale')"
  config.budget = BUDGET
  return config


def get_sweep():
  return experiment_file.Sweep(title='Mixed ends', cells=tuple(
      {'multiplicity': n, 'peak': peak, 'seed': 0}
      for n, peak in ((1, 0.05), (2, 0.05), (1, 1e30), (1, 0.06))))
'''

_TUNED = '''
"""A grid whose best learning rate lies on its edge."""
from nfnets_am.config import cells as cells_lib
from nfnets_am.sweeps import experiment_file
from tests import tiny


def get_config(cell=''):
  cell = cells_lib.parse_cell(cell, {'peak': 0.016})
  config = tiny.get_config()
  config.model.dropout = 0.0
  config.ema = 0.0
  config.evals.test.most = 0
  config.schedule.peak = cell['peak']
  config.budget = config.eval_every = '16 updates'
  return config


def get_sweep():
  return experiment_file.Sweep(title='Tuned', metric='test/loss', tune='peak', tune_factor=32.0,
                               cells=({'peak': 0.0005}, {'peak': 0.016}))
'''


def _write(tmp_path, budget):
  path = tmp_path / 'mixed ends.py'
  path.write_text(_EXPERIMENT.replace('BUDGET', repr(budget)))
  return path


def _folder(experiment, workdir, cell):
  config = experiment_file.get_config(f'{experiment}:{cell}')
  return workdir / sections.run_name(config)


def _statuses(workdir):
  return {path.parent: json.loads(path.read_text())['status']
          for path in workdir.glob('*/status.json')}


@pytest.mark.slow
def test_every_cell_ends_in_its_state_and_the_report_says_so(tmp_path):
  experiment, workdir = _write(tmp_path, '8 updates'), tmp_path / 'runs'
  flags = (f'--experiment={experiment}', f'--workdir={workdir}')
  done = commands.run('launch.sweep', *flags, '--jobs=2')
  assert done.returncode == 1, done.stderr
  assert _statuses(workdir) == {
      _folder(experiment, workdir, 'multiplicity=1,peak=0.05,seed=0'): 'finished',
      _folder(experiment, workdir, 'multiplicity=2,peak=0.05,seed=0'): 'finished',
      _folder(experiment, workdir, 'multiplicity=1,peak=1e+30,seed=0'): 'diverged',
      _folder(experiment, workdir, 'multiplicity=1,peak=0.06,seed=0'): 'failed'}
  refused = _folder(experiment, workdir, 'multiplicity=1,peak=0.06,seed=0')
  assert "error: the mask 'norm_scale'" in (refused / 'log.txt').read_text()

  # Again: only the refused one is tried.
  before = {path: path.stat().st_mtime_ns for path in workdir.glob('*/metrics.jsonl')
            if path.parent != refused}
  assert commands.run('launch.sweep', *flags).returncode == 1
  assert before == {path: path.stat().st_mtime_ns for path in before}

  report = commands.run('nfnets_am.report', *flags)
  assert report.returncode == 0, report.stderr
  page = (workdir / 'report.md').read_text()
  assert '1 diverged' in page and 'failed' in page and 'no run' in page
  assert (workdir / 'report.csv').exists() and (workdir / 'report.png').exists()


@pytest.mark.slow
def test_a_tuned_sweep_grows_until_its_best_is_inside(tmp_path):
  """Test losses after 16 updates: 2.309 at 0.0005, 2.277 at 0.016, 2.333 at 0.512."""
  experiment, workdir = tmp_path / 'tuned.py', tmp_path / 'runs'
  experiment.write_text(_TUNED)
  flags = (f'--experiment={experiment}', f'--workdir={workdir}')
  done = commands.run('launch.sweep', *flags, '--jobs=2')
  assert done.returncode == 0, done.stderr
  folders = {json.loads((path / 'config.json').read_text())['schedule.peak']: path
             for path in workdir.iterdir()}
  assert sorted(folders) == [0.0005, 0.016, 0.512]
  assert set(_statuses(workdir).values()) == {'finished'}
  # Nothing was begun twice, nor is when the same command comes again.
  again = commands.run('launch.sweep', *flags)
  assert again.returncode == 0 and '3 runs, 3 of them done before' in again.stderr
  for folder in folders.values():
    assert json.loads((folder / 'launch.json').read_text())['starts'] == 1
    assert len(json.loads((folder / 'run.json').read_text())['starts']) == 1


@pytest.mark.slow
def test_ctrl_c_saves_the_runs_and_the_same_command_goes_on(tmp_path):
  experiment, workdir = _write(tmp_path, '100 updates'), tmp_path / 'runs'
  flags = (f'--experiment={experiment}', f'--workdir={workdir}', '--jobs=2')
  with commands.start('launch.sweep', *flags) as launcher:
    began = time.monotonic()
    while len(list(workdir.glob('*/metrics.jsonl'))) < 2 and time.monotonic() - began < 120:
      time.sleep(0.05)
    launcher.send_signal(signal.SIGINT)
    launcher.communicate(timeout=120)
    assert launcher.returncode == 75
  statuses = _statuses(workdir)
  assert set(statuses.values()) == {'stopped'} and len(statuses) == 2
  commands.run('launch.sweep', *flags)
  assert sorted(_statuses(workdir).values()) == ['diverged', 'failed', 'finished', 'finished']


@pytest.mark.slow
def test_a_dry_run_prints_commands_that_a_shell_reads_and_touches_nothing(tmp_path):
  experiment, workdir = _write(tmp_path, '8 updates'), tmp_path / 'runs of $HOME'
  done = commands.run('launch.sweep', f'--experiment={experiment}', f'--workdir={workdir}',
                      '--dry_run')
  assert done.returncode == 0, done.stderr
  lines = done.stdout.splitlines()
  assert len(lines) == 4 and not workdir.exists()
  assert f"'--config={experiment}:multiplicity=1,peak=0.05,seed=0'" in lines[0]
  folder = _folder(experiment, workdir, 'multiplicity=1,peak=0.05,seed=0')
  assert f"'--workdir={folder}'" in lines[0]
  # Of the others what differs, so that the whole is a script of one command.
  cell = 'multiplicity=2,peak=0.05,seed=0'
  assert lines[1] == (f"# {cell}: '--config={experiment}:{cell}' "
                      f"'--workdir={_folder(experiment, workdir, cell)}'")
