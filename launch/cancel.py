"""Stops runs of a sweep for good: they save, and no launcher starts them again.

    python -m launch.cancel --workdir=runs/quickstart wide_resnet-n4-seed1-0a1b2c3d4e
    python -m launch.cancel --workdir=runs/quickstart '*seed1*'

A run is named by its folder, by a pattern of folders, or with --experiment by its cell. What it has
written stays. launch.restart takes it back.
"""

from collections.abc import Sequence
import os
import signal
import subprocess

from absl import flags

from launch import chosen
from launch import gcloud_words
from launch import jobs as jobs_lib
from launch import requests
from launch import states
from nfnets_am.core import cli
from nfnets_am.core import terminal

_NAMED: list[str] = []


def cancel(job: jobs_lib.Job) -> str:
  """Cancels a run; returns what becomes of it, for people."""
  if job.ended:
    return f'{states.state_of(job).status} before: nothing is left to cancel'
  requests.cancel(job.folder)
  record = job.record()
  if states.launched(job):
    return 'its launcher stops it'
  if record.get('skypilot'):
    return _command(['sky', 'jobs', 'cancel', '--yes', '--name', record['skypilot']])
  if record.get('resource') and record.get('zone'):
    # The slice would go on without a launcher.
    return _command(gcloud_words.delete(record['resource'], jobs_lib.Options(
        zone=record['zone'], project=record.get('project', ''))))
  if states.locked(job.folder):
    return _signal(job)
  return 'no launcher starts it again'


def _command(words: Sequence[str]) -> str:
  """Runs the command of a service; a run that is not stopped is marked all the same."""
  try:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
  except FileNotFoundError:
    return f'not stopped, as there is no {words[0]} command here; no launcher starts it again'
  if done.returncode:
    return f'not stopped: {jobs_lib.last_error(done.stderr or done.stdout)}'
  return f'{words[0]} stops it'


def _signal(job: jobs_lib.Job) -> str:
  """Tells the process of this machine that holds a run's folder to save and leave."""
  pid = states.locker(job.folder)
  if pid is None:
    return f'not stopped: `fuser {os.path.join(job.folder, ".lock")}` names the process to end'
  os.kill(pid, signal.SIGTERM)
  return f'process {pid} saves and leaves'


def main() -> None:
  for job in chosen.names_of(chosen.jobs(), _NAMED):
    terminal.say(f'{job.name}: {cancel(job)}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main, named=_NAMED)
