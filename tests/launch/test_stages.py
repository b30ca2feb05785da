"""A sweep in two stages, launched: what runs when, killed and resumed, and what is shown."""

import csv
import json
import signal
import time

import pytest

from launch import chips
from launch import groups
from launch import jobs as jobs_lib
from launch import skypilot
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from tests import commands
from tests.sweeps import copies

_FILE = '''
"""Copies of a tiny run, of which one goes on."""
from nfnets_am.config import cells as cells_lib
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import stages
from tests import tiny


def get_config(cell=''):
  cell = cells_lib.parse_cell(cell, {'n': 1, 'fixed': 0, 'seed': 0, 'measured': 0})
  config = tiny.get_config(f'multiplicity={cell["n"]}')
  if cell['fixed']:
    config.unique, config.views = 0, 8
  config.seed = cell['seed']
  config.model.dropout = 0.0
  config.ema = 0.0
  config.budget = config.eval_every = '12 updates'
  if cell['measured']:
    config.measure = 'gradient_variance()'
  return config


def get_sweep():
  return experiment_file.Sweep(
      'Staged', CELLS, stages=stages.Selection(keep=1, until='6 updates'))
'''


def _experiment(tmp_path, cells):
  path = tmp_path / 'staged.py'
  path.write_text(_FILE.replace('CELLS', repr(tuple(cells))))
  return path


def _jobs(path, workdir):
  return {job.name: job for job in jobs_lib.jobs_of(str(path), str(workdir))}


def _write(path, workdir, losses, **changes):
  """Writes the folders of runs at update 6: seed -> loss of them."""
  for run in experiment_file.get_runs(path, experiment_file.get_sweep(path)):
    if run.cell['seed'] in losses:
      folder = workdir / run.name
      copies.write(folder, {6: losses[run.cell['seed']]}, update=6, **changes)
      derived = {'updates_per_epoch': 12.5, 'views': 8, 'updates': 12}
      (folder / 'run.json').write_text(json.dumps({'derived': derived}))
      (folder / 'config.json').write_text(json.dumps(run.flat))


def test_a_run_is_one_job_after_the_other(tmp_path):
  path, workdir = _experiment(tmp_path, [{'seed': i} for i in range(3)]), tmp_path / 'runs'
  jobs = _jobs(path, workdir)
  assert [job.flags[-1] for job in jobs.values()] == ['--until=6 updates'] * 3
  assert not any(job.done for job in jobs.values())
  _write(path, workdir, {0: 0.5, 2: 0.7})
  jobs = _jobs(path, workdir)
  assert [job.done for job in jobs.values()] == [True, False, True]
  _write(path, workdir, {1: 0.4})
  jobs = _jobs(path, workdir)
  assert [job.done for job in jobs.values()] == [True, False, True]
  assert not any('--until' in flag for flag in jobs['seed=1'].flags)
  assert jobs['seed=2'].dropped == 'train_views/loss 0.7000 at 6 updates, place 3 of 3'
  with pytest.raises(errors.ConfigError, match='--on=local or --on=gcloud'):
    skypilot.launch(jobs.values, jobs_lib.Options(tpu='v4-8'))


def test_a_run_that_two_cells_share_goes_on_if_one_of_them_keeps_it(tmp_path):
  """At n = 1 a fixed batch of 8 views is the same training as 8 unique images."""
  path = _experiment(tmp_path, [*({'seed': i} for i in range(3)), {'fixed': 1, 'seed': 2}])
  workdir = tmp_path / 'runs'
  _write(path, workdir, {0: 0.4, 1: 0.5, 2: 0.6})
  jobs = _jobs(path, workdir)
  assert {name: (job.done, bool(job.dropped)) for name, job in jobs.items()} == {
      'seed=0': (False, False), 'seed=1': (True, True), 'fixed=1,seed=2': (False, False)}


def test_what_is_measured_has_no_stages(tmp_path):
  path = _experiment(tmp_path, [{'measured': 1, 'seed': i} for i in range(2)])
  with pytest.raises(errors.ConfigError, match='is measured and not trained'):
    _jobs(path, tmp_path)


def test_a_plan_counts_the_first_part_of_all_and_the_rest_of_those_that_go_on(tmp_path):
  path = _experiment(tmp_path, [{'n': n, 'seed': i} for n in (1, 2) for i in range(4)])
  sweep = experiment_file.get_sweep(path)
  rows = groups.plan(
      experiment_file.get_runs(path, sweep), chips.parse('v3-8'), compile_=False,
      stage=sweep.stages)
  # 4 copies to update 6 and one of them to update 12.
  assert [row.updates for row in rows] == [4 * 6 + 6] * 2
  assert rows[0].core_hours(chips.parse('v3-8')) == pytest.approx(rows[0].hours() * 8 * 30 / 12)


def _wait_for(condition):
  began = time.monotonic()
  while not condition():
    assert time.monotonic() - began < 200, 'it never came'
    time.sleep(0.02)


@pytest.mark.slow
def test_one_of_two_copies_goes_on_though_the_launcher_is_killed(tmp_path):
  path, workdir = _experiment(tmp_path, [{'seed': 0}, {'seed': 1}]), tmp_path / 'runs'
  flags = (f'--experiment={path}', f'--workdir={workdir}')
  for lines in (1, 3):  # In the first stage, and in the second.
    with commands.start('launch.sweep', *flags, '--jobs=2') as launcher:
      _wait_for(lambda lines=lines: any(
          len(file.read_text().splitlines()) >= lines for file in workdir.glob('*/metrics.jsonl')))
      launcher.send_signal(signal.SIGKILL)
      launcher.communicate()
  done = commands.run('launch.sweep', *flags, '--jobs=2')
  assert done.returncode == 0, done.stderr

  status = {file.parent: json.loads(file.read_text()) for file in workdir.glob('*/status.json')}
  lines = {folder: [json.loads(line) for line in (folder / 'metrics.jsonl').read_text().split('\n')
                    if line] for folder in status}
  loss = {folder: [x['loss'] for x in lines[folder] if (
      x['update'], x['split']) == (6, 'train_views')] for folder in status}
  kept = min(status, key=loss.get)
  (other,) = status.keys() - {kept}
  assert (status[kept]['status'], status[other]['status']) == ('finished', 'stopped')
  assert (status[kept]['update'], status[other]['update']) == (12, 6)
  updates = [x['update'] for x in lines[kept] if x['split'] == 'train_views']
  assert updates == [3, 6, 9, 12] and lines[other][-1]['update'] == 6

  # The same command again begins nothing, with the experiment and without it the end is shown.
  starts = lambda: [len(json.loads((f / 'run.json').read_text())['starts']) for f in status]
  before = starts()
  again = commands.run('launch.sweep', *flags)
  assert again.returncode == 0 and '2 runs, 2 of them done before' in again.stderr
  assert starts() == before
  for more in (flags[1:], flags):
    shown = commands.run('launch.status', *more).stdout
    assert 'not selected' in shown and 'place 2 of 2' in shown and '1 finished' in shown
  report = commands.run('nfnets_am.report', *flags)
  assert report.returncode == 0, report.stderr
  assert '1 of 2 kept by train_views/loss at 6 updates (1 cell).' in (
      workdir / 'report' / f'{path.stem}.md').read_text()
  with open(workdir / 'report' / f'{path.stem}.csv') as f:
    assert sorted(row['status'] for row in csv.DictReader(f)) == ['finished', 'not selected']
