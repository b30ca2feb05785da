"""Runs one after the other in one process end bit for bit as each does alone."""

import json
import os
import pathlib
import signal
import time

import pytest

from nfnets_am.sweeps import experiment_file
from tests import commands

_EXPERIMENT = '''
"""Seeds of one network, another shape between them, and one that diverges."""
import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.sweeps import experiment_file
from tests import tiny


def get_config(cell=''):
  cell = cells_lib.parse_cell(cell, {'multiplicity': 1, 'peak': 0.05, 'seed': 0})
  config = tiny.get_config(f'multiplicity={cell["multiplicity"]}')
  config.model = ml_collections.ConfigDict({'name': 'linear'})
  config.penalty = ''
  config.schedule.peak = cell['peak']
  config.seed = cell['seed']
  config.budget = '80 updates'
  config.log_every = '4 updates'
  return config


def get_sweep():
  return experiment_file.Sweep(title='Warm', cells=tuple(
      {'multiplicity': n, 'peak': peak, 'seed': seed}
      for n, peak, seed in ((1, 0.05, 0), (1, 0.05, 1), (2, 0.05, 0), (1, 1e38, 0), (1, 0.05, 2))))
'''


def _children(pid):
  """Returns the process ids of a process' children."""
  path = pathlib.Path(f'/proc/{pid}/task/{pid}/children')
  return {int(text) for text in path.read_text().split()} if path.exists() else set()


def _what(folder):
  """Returns what a run's result is: its metrics and its end."""
  return ((folder / 'metrics.jsonl').read_text(), json.loads((folder / 'status.json').read_text()))


@pytest.mark.slow
def test_every_run_ends_as_it_does_alone(tmp_path):
  """The second is killed in its midst, the fourth diverges: each costs a process, and no more."""
  experiment, workdir = tmp_path / 'warm.py', tmp_path / 'runs'
  experiment.write_text(_EXPERIMENT)
  sweep = experiment_file.get_sweep(experiment)
  runs = experiment_file.get_runs(experiment, sweep)
  folders = [workdir / run.name for run in runs]
  seen, killed = set(), False
  with commands.start('launch.sweep', f'--experiment={experiment}', f'--workdir={workdir}'
                      ) as launcher:
    while launcher.poll() is None:
      seen |= _children(launcher.pid)
      metrics = folders[1] / 'metrics.jsonl'
      if not killed and metrics.exists() and metrics.read_text():
        (worker,) = _children(launcher.pid)
        os.kill(worker, signal.SIGKILL)
        killed = True
      time.sleep(0.005)
    _, said = launcher.communicate()
    assert launcher.returncode == 0, said
  assert 'killed by SIGKILL; it goes on' in said
  logs = [(folder / 'log.txt').read_text() for folder in folders]
  for folder, log in zip(folders, logs, strict=True):
    others = {other.name for other in folders} - {folder.name}
    # Its own end is in its own log, and nothing of the others.
    assert f'{folder}: ' in log and not any(name in log for name in others)
  starts = [json.loads((folder / 'launch.json').read_text())['starts'] for folder in folders]
  assert starts == [1, 2, 1, 1, 1]
  # The first process is killed, in the second one a run diverges, and the third one has the last.
  assert len(seen) == 3

  for folder, run in zip(folders, runs, strict=True):
    alone = tmp_path / 'alone' / run.name
    done = commands.run('nfnets_am.train', *run.flags, f'--workdir={alone}')
    assert done.returncode == (76 if run.cell['peak'] == 1e38 else 0), done.stderr
    assert _what(folder) == _what(alone)
    if done.returncode == 0:
      commands.assert_same(commands.final_state(folder), commands.final_state(alone))
