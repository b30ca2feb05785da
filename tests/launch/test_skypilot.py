"""Managed jobs: every file is one that SkyPilot takes, and each run is submitted once."""

import os
import stat
import sys

from etils import epath
import pytest
import yaml

from launch import chips
from launch import jobs as jobs_lib
from launch import skypilot
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from tests import commands

_TYPES = [f'{name}-{next((n for n in chip.sizes if n >= 8), 32)}'
          for name, chip in chips.CHIPS.items()]


def _jobs(workdir, experiment='experiments/quickstart.py'):
  path = commands.ROOT / experiment
  return [jobs_lib.Job(run.name, epath.Path(workdir) / run.name, run.flags)
          for run in experiment_file.get_runs(path, experiment_file.get_sweep(path))]


@pytest.mark.parametrize('tpu', _TYPES)
def test_skypilot_accepts_every_file(tmp_path, tpu):
  sky = pytest.importorskip('sky')
  for job in _jobs(tmp_path):
    task = yaml.safe_load(skypilot.dump(skypilot.task(
        job, jobs_lib.Options(tpu=tpu, zone='us-central1-a'))))
    made = sky.Task.from_yaml_config(task)
    (resources,) = made.resources
    assert list(resources.accelerators) == [f'tpu-{tpu}']


def test_each_run_is_submitted_once(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  path = tmp_path / 'bin' / 'sky'
  path.parent.mkdir()
  path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/submitted.txt\n'
                  '[ -e broken ] && echo "no quota" >&2 && exit 1\nexit 0\n')
  path.chmod(path.stat().st_mode | stat.S_IXUSR)
  monkeypatch.setenv('PATH', f'{path.parent}{os.pathsep}{os.environ["PATH"]}')
  jobs = _jobs(tmp_path / 'runs')
  options = jobs_lib.Options(tpu='v4-8')
  (tmp_path / 'broken').touch()
  assert skypilot.launch(lambda: jobs, options) == 1
  assert {job.record()['error'] for job in jobs} == {'no quota'}
  (tmp_path / 'broken').unlink()
  for _ in range(2):
    assert skypilot.launch(lambda: jobs, options) == 0
  lines = (tmp_path / 'submitted.txt').read_text().splitlines()
  assert len(lines) == 2 * len(jobs)
  for job, line in zip(jobs, lines, strict=False):
    assert line.startswith('jobs launch --yes') and line.endswith(str(skypilot.path_of(job)))
    assert yaml.safe_load(skypilot.path_of(job).read_text())['name'] == skypilot.name_of(job)


def test_without_sky_it_says_what_to_install(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('PATH', os.path.dirname(sys.executable) + '-none')
  with pytest.raises(errors.UserError, match='skypilot'):
    skypilot.launch(lambda: _jobs(tmp_path / 'runs'), jobs_lib.Options(tpu='v4-8'))
