"""What a person asks of one run is done, whoever works on it."""

import os
import signal

from launch import elsewhere
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
  for key in elsewhere.holding(record):
    tool = elsewhere.SERVICES[key].tool
    trouble = elsewhere.stop(key, record)
    return f'not stopped: {trouble}' if trouble else f'{tool} stops it'
  if states.locked(job.folder):
    return _signal(job)
  return 'no launcher starts it again'


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
