"""What a person asks of one run is done, whoever works on it."""

from collections.abc import Sequence
import os
import signal
import subprocess

from launch import gcloud_words
from launch import jobs as jobs_lib
from launch import requests
from launch import states
from nfnets_am.storage import leases


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


def restart(job: jobs_lib.Job) -> str:
  """Takes back what keeps a run from going on; returns what becomes of it, for people."""
  if job.ended:
    status = states.state_of(job).status
    return f'{status} before: to run it again, remove its folder {job.folder}'
  back = requests.restore(job.folder)
  lease = leases.Lease(os.path.join(job.folder, 'launcher.lease'))
  if not lease.acquire():
    return 'a launcher has it in hand'
  try:
    if not (back or job.record()['error']):
      return f'{states.state_of(job).status}: nothing keeps it from going on'
    # Its deaths too: whoever asks has mended what it died of.
    job.note(error='', deaths={})
  finally:
    lease.release()
  return 'it goes on as soon as a launcher has room; without one, by the same launch.sweep command'
