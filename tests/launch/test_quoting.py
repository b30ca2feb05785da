"""A workdir and an override with spaces, quotes and $ survive every way of launching.

The scripts that the launchers write are run through bash, with stand-ins for the commands of a
TPU's host; the stand-in for Python notes the arguments that it was given.
"""

import dataclasses
import json
import os
import pathlib
import shlex
import shutil
import stat
import subprocess
import sys

from etils import epath
import pytest
import yaml

from launch import gcloud
from launch import gcloud_words
from launch import hosts
from launch import jobs as jobs_lib
from launch import local
from launch import provisioning
from launch import skypilot
from tests import commands

_NASTY = """it's a "test" of $HOME `id` \\ & ; * ünd\tso"""
_OVERRIDE = f'data.data_dir={_NASTY}'
_SHEBANG = f'#!{sys.executable}\n'
_PYTHON = _SHEBANG + """
import json, os, sys
with open(os.environ['NOTED'], 'a') as f:
  f.write(json.dumps(sys.argv[1:]) + '\\n')
sys.exit(int(os.environ.get('CODE', 0)))
"""
# `python3 -m uv venv ... DIR` makes DIR/bin/python.
_PYTHON3 = _SHEBANG + """
import os, shutil, sys
if sys.argv[1:4] == ['-m', 'uv', 'venv']:
  os.makedirs(sys.argv[-1] + '/bin')
  shutil.copy(os.environ['FAKE_PYTHON'], sys.argv[-1] + '/bin/python')
"""


def _executable(path: pathlib.Path, text: str) -> pathlib.Path:
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)
  path.chmod(path.stat().st_mode | stat.S_IXUSR)
  return path


@pytest.fixture
def job(tmp_path):
  folder = epath.Path(tmp_path) / _NASTY / 'run'
  folder.mkdir(parents=True)
  return jobs_lib.Job('a', folder, (
      f'--config={commands.ROOT / "tests" / "tiny.py"}:multiplicity=1', f'--config.{_OVERRIDE}'))


@pytest.fixture
def environment(tmp_path):
  """An environment of a TPU's host; worker 0, since curl says so."""
  bin_ = tmp_path / 'bin'
  _executable(bin_ / 'python3', _PYTHON3)
  _executable(bin_ / 'curl', '#!/bin/sh\nprintf 0\n')
  _executable(bin_ / 'gcloud', f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/gcloud.txt\n')
  return {**os.environ, 'PATH': f'{bin_}{os.pathsep}{os.environ["PATH"]}', 'HOME': str(tmp_path),
          'NFNETS_AM_ROOT': str(tmp_path / 'root of it'), 'NFNETS_AM_PAUSE': '0',
          'NOTED': str(tmp_path / 'noted.txt'),
          'FAKE_PYTHON': str(_executable(tmp_path / 'python', _PYTHON))}


def _expected(job):
  return ['-m', 'nfnets_am.train', '--config=tests/tiny.py:multiplicity=1',
          f'--config.{_OVERRIDE}', f'--workdir={job.folder}', '--coordinator=auto']


def _noted(environment):
  return [json.loads(line) for line in pathlib.Path(environment['NOTED']).read_text().splitlines()]


def test_the_start_up_script(job, environment, tmp_path):
  source = hosts.pack(job.folder.parent)
  assert hosts.pack(job.folder.parent) == source  # The same tree is the same archive.
  script = tmp_path / 'startup.sh'
  script.write_text(hosts.startup_script(job, source, ['gcloud', 'delete', _NASTY]))
  for _ in range(2):  # Again, as after a boot: nothing is installed twice.
    subprocess.run(['bash', script], env=environment, check=True, cwd=tmp_path)
  assert _noted(environment) == [_expected(job)] * 2
  assert (job.folder / 'exit.txt').read_text().startswith('0\n')
  assert (tmp_path / 'gcloud.txt').read_text() == f'delete\n{_NASTY}\n' * 2
  unpacked = tmp_path / 'root of it' / 'source'
  assert (unpacked / 'nfnets_am' / 'train.py').exists() and (unpacked / 'tests/tiny.py').exists()


@pytest.mark.parametrize('code, times', [(1, 1), (76, 1), (75, 20), (137, 20)])
def test_the_start_up_script_goes_on_after_a_stop_and_not_after_an_error(
    job, environment, tmp_path, code, times):
  script = tmp_path / 'startup.sh'
  source = epath.Path(tmp_path / 'empty.tar.gz')
  subprocess.run(['tar', '-czf', source, '-T', '/dev/null'], check=True)
  script.write_text(hosts.startup_script(job, source, ['true']))
  _executable(tmp_path / 'bin' / 'seq', '#!/bin/sh\necho 1 2 3\n')
  subprocess.run(['bash', script], env={**environment, 'CODE': str(code)}, check=True)
  assert len(_noted(environment)) == (1 if times == 1 else 3)
  assert (job.folder / 'exit.txt').read_text().startswith(f'{code}\n')


def test_what_cannot_be_fetched_is_said(job, environment, tmp_path):
  script = tmp_path / 'startup.sh'
  script.write_text(hosts.startup_script(job, epath.Path(tmp_path / 'missing'), ['true']))
  subprocess.run(['bash', script], env=environment, check=True)
  code, _, text = (job.folder / 'exit.txt').read_text().partition('\n')
  assert code == '1' and 'missing' in text


def test_skypilot(job, environment, tmp_path):
  text = skypilot.dump(skypilot.task(job, jobs_lib.Options(tpu='v4-32', zone='us-central2-b')))
  task = yaml.safe_load(text)
  for part in ('setup', 'run'):
    subprocess.run(['bash', '-c', task[part]], env=environment, check=True, cwd=commands.ROOT)
  assert _noted(environment) == [_expected(job)]
  assert task['resources']['accelerators'] == 'tpu-v4-32:1'
  _executable(tmp_path / 'bin' / 'seq', '#!/bin/sh\necho 1 2 3\n')
  for code, ends_with, times in ((76, 0, 1), (1, 1, 1), (75, 75, 3)):
    before = len(_noted(environment))
    done = subprocess.run(['bash', '-c', task['run']], env={**environment, 'CODE': str(code)})
    assert (done.returncode, len(_noted(environment)) - before) == (ends_with, times)


def test_local(job, environment, tmp_path):
  with_fake = jobs_lib.Job(job.name, job.folder, job.flags, (environment['FAKE_PYTHON'],))
  expected = [*job.flags, f'--workdir={job.folder}']
  (line,) = local.Local().commands(with_fake, 0)
  subprocess.run(['bash', '-c', shlex.join(line)], env=environment, check=True)
  subprocess.run(line, env=environment, check=True)
  assert _noted(environment) == [expected] * 2


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which('gcloud'), reason='gcloud is not installed')
def test_the_real_gcloud_reads_every_flag(job, tmp_path, monkeypatch):
  """It refuses a wrong flag before it asks for an account."""
  monkeypatch.setenv('CLOUDSDK_CONFIG', str(tmp_path / 'gcloud'))
  options = jobs_lib.Options(
      tpu='v5p-8', zone='z', project='p', service_account='a@b.c', network='n', subnetwork='s')
  (tmp_path / 'script').write_text('')
  said = {'max_run_duration': '24h', 'reservation': 'mine'}
  asked = [dataclasses.replace(options, provisioning=name, **{key: said[key] for key in way.needs})
           for name, way in provisioning.WAYS.items()]
  for command in (*(gcloud.QueuedResources(one).create_command('r', str(tmp_path / 'script'))
                    for one in asked), gcloud_words.delete('r', options)):
    done = subprocess.run(command, capture_output=True, text=True)
    assert 'unrecognized arguments' not in done.stderr
    assert 'account' in done.stderr or 'credential' in done.stderr.lower(), done.stderr
