"""Slices that runs share, against a stand-in for the service, and one on this machine."""

import json
import subprocess
import sys

from etils import epath
import pytest

from launch import gcloud
from launch import jobs as jobs_lib
from launch import places
from launch import shared
from launch import skypilot
from nfnets_am.core import errors
from tests import commands
from tests.launch import test_quoting
from tests.launch import tpu_service

environment = test_quoting.environment


def _options(**changes):
  return jobs_lib.Options(**{
      'tpu': 'v5litepod-8', 'zone': 'z', 'project': 'p', 'devices_per_run': 1, 'restarts': 3,
      'sweep': (f'--experiment={commands.ROOT / "tests" / "tiny.py"}', '--scale=smoke',
                "--set=a=it's"), **changes})


class _Sweep:
  """Runs that are done once the slices are."""

  def __init__(self, workdir, count, service):
    self.jobs = [jobs_lib.Job(f'run-{i}', epath.Path(workdir) / f'run-{i}', ())
                 for i in range(count)]
    self.asked, self._service = 0, service

  def __call__(self):
    self.asked += 1
    if self.asked > 1 and not self._service.read()['resources']:
      for job in self.jobs:
        job.folder.mkdir(parents=True, exist_ok=True)
        (job.folder / 'status.json').write_text(
            json.dumps({'status': 'finished', 'update': 9, 'updates': 9}))
    return self.jobs


@pytest.fixture
def service(tmp_path, monkeypatch):
  monkeypatch.setattr(shared.Slices.__init__, '__kwdefaults__', {'poll_s': 0.01})
  return tpu_service.put_before_path(tmp_path, monkeypatch)


def _calls(service):
  """Returns what the service was asked to change."""
  return [call for call in service.read()['calls'] if call[0] in ('create', 'delete')]


def _calls(service):
  """Returns what the service was asked to change."""
  return [call for call in service.read()['calls'] if call[0] in ('create', 'delete')]


def test_slices_are_asked_for_and_not_runs(service, tmp_path, capsys):
  service.begin({'0': [['ACTIVE', 'SUSPENDED'], ['ACTIVE', 'exit 0 all done']],
                 '1': [['WAITING_FOR_RESOURCES', 'ACTIVE', 'exit 0 all done']]})
  get_jobs = _Sweep(tmp_path / 'runs', 40, service)
  assert shared.launch(get_jobs, _options(jobs=2)) == 0
  created = [call for call in _calls(service) if call[0] == 'create']
  assert len(created) == 3 and created[0][2]['type'] == 'v5litepod-8'
  assert not service.read()['resources'] and len(_calls(service)) == 6
  assert '40 runs: 40 finished' in capsys.readouterr().err
  # The same command again asks for nothing; with a run to do, for a slice, whatever it said before.
  assert shared.launch(get_jobs, _options(jobs=2)) == 0
  assert len(_calls(service)) == 6
  (get_jobs.jobs[7].folder / 'status.json').unlink()
  get_jobs.asked = 0
  service.begin({'0': [['ACTIVE', 'exit 0 all done']]})
  assert shared.launch(get_jobs, _options(jobs=2)) == 0
  assert [call[0] for call in _calls(service)] == ['create', 'delete']


def test_a_slice_whose_launcher_has_left_failures_is_named(service, tmp_path):
  service.begin({'0': [['ACTIVE', 'exit 1 error: no such data']]})
  jobs = _Sweep(tmp_path / 'runs', 3, service)
  assert shared.launch(lambda: jobs.jobs, _options()) == 1
  noted = json.loads((tmp_path / 'runs/slices/0/launch.json').read_text())
  assert noted['error'] == 'no such data (exit status 1)'


@pytest.mark.parametrize('runs, jobs, per_run, tpu, count', [
    (40, 3, 1, 'v5litepod-8', 3), (9, 3, 1, 'v5litepod-8', 2), (9, 3, 4, 'v5litepod-8', 3),
    (1, 3, 1, 'v4-8', 1), (5, 9, 4, 'v4-8', 5)])
def test_no_more_slices_than_the_runs_fill(tmp_path, runs, jobs, per_run, tpu, count):
  options = _options(jobs=jobs, devices_per_run=per_run, tpu=tpu)
  left = [jobs_lib.Job(f'{i}', epath.Path(tmp_path) / f'{i}', ()) for i in range(runs)]
  found = shared._slices(left, shared.Slices(options), options)
  assert len(found) == count and len({job.folder for job in found}) == count
  assert {job.folder.parent for job in found} == {epath.Path(tmp_path) / 'slices'}


@pytest.mark.parametrize('options, words', [
    ({'tpu': 'v5litepod-16'}, ['4 hosts', 'v5litepod-8']),
    ({'devices_per_run': 3}, ['--devices_per_run=3', '1, 2, 4, 8']),
    ({'tpu': 'v5litepod-1', 'devices_per_run': 2}, ['1 TPU chip;']), ({'zone': ''}, ['--zone'])])
def test_what_cannot_be_shared_is_refused(options, words):
  with pytest.raises(errors.ConfigError) as e:
    shared.Slices(_options(**options))
  assert all(word in str(e.value) for word in words)


def test_skypilot_shares_nothing_and_gcloud_without_the_flag_is_as_it_was(tmp_path, monkeypatch):
  with pytest.raises(errors.ConfigError, match='--on=skypilot'):
    skypilot.launch(list, _options(tpu='v4-8'))
  monkeypatch.setattr(gcloud, 'launch', lambda get_jobs, options: 'each')
  assert places.PLACES['gcloud'](list, _options(devices_per_run=0)) == 'each'


def test_the_dry_run_shows_the_launcher_of_a_slice(tmp_path, capsys):
  jobs = [jobs_lib.Job('a', epath.Path(tmp_path) / 'a', ())]
  assert shared.launch(lambda: jobs, _options(dry_run=True)) == 0
  shown = capsys.readouterr().out
  assert shown.count('queued-resources create') == 1
  assert ("-m launch.sweep --experiment=tests/tiny.py --scale=smoke '--set=a=it'\"'\"'s' "
          f'--workdir={tmp_path} --on=local --devices_per_run=1 --restarts=3') in shown
  assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_slice_runs_the_sweep(environment, tmp_path):
  """The start-up script on this machine, with two GPUs that are none: two runs at a time."""
  workdir = tmp_path / 'the runs'
  job = shared.Slice('slice 0', epath.Path(workdir) / 'slices' / '0', (
      f'--experiment={commands.ROOT / "tests" / "tiny.py"}', '--set=budget=4 updates'))
  job.folder.mkdir(parents=True)
  script = tmp_path / 'startup.sh'
  script.write_text(shared.Slices(_options())._script(job, 'r-0'))
  test_quoting._executable(tmp_path / 'python', f'#!/bin/sh\nexec {sys.executable} "$@"\n')
  subprocess.run(['bash', script], check=True, cwd=tmp_path, env={
      **commands.environment(), **{key: environment[key] for key in (
          'PATH', 'HOME', 'NFNETS_AM_ROOT', 'NFNETS_AM_PAUSE', 'FAKE_PYTHON')},
      'CUDA_VISIBLE_DEVICES': '0,1'})
  text = (job.folder / 'exit.txt').read_text()
  assert text.startswith('0\n') and job.done, text
  runs = [path for path in workdir.iterdir() if (path / 'status.json').exists()]
  assert len(runs) == 2
  assert all(json.loads((path / 'status.json').read_text())['status'] == 'finished'
             for path in runs)
  assert 'queued-resources\ndelete\nr-0' in (tmp_path / 'gcloud.txt').read_text()
