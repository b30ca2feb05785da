"""How the runs of a sweep stand, read from their folders alone."""

from collections.abc import Mapping
import dataclasses
import fcntl
import json
import os
import time
from typing import Any

from etils import epath

from launch import jobs as jobs_lib
from launch import requests
from nfnets_am.storage import leases
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import outcomes

# The statuses, those that are looked for first before the others.
STATUSES = ('failed', 'running', 'diverged', 'queued', 'finished', 'cancelled',
            outcomes.NOT_SELECTED)
# Those that do not stay by themselves.
TO_COME = ('queued', 'running')
# A heartbeat that is this old by this machine's clock is somebody's who is gone; generous, since
# the clock that wrote it may be another one.
_OLD_S = 2 * leases.STALE_S + 60
# A line of metrics is a few hundred bytes; the last one is in the last part of the file.
_TAIL = 4096
# What may hold the output of a run, in its folder: on this machine, and of a slice that has ended.
_LOGS = ('log.txt', 'exit.txt')


@dataclasses.dataclass(frozen=True)
class State:
  """How one run stands.

  Attributes:
    name: of its cell.
    status: 'queued' (also: interrupted, and goes on when a launcher comes to it), 'running',
      'finished', 'diverged', 'failed', 'cancelled', or 'not selected' to go on after a stage.
    update: that its last line of metrics, or its status, tells of.
    updates: of the whole run; 0 where it is not known yet.
    reason: why it failed, diverged or stopped.
    interruptions: how often it was killed or preempted, as far as launchers saw it.
    seconds_left: at the speed of its present start; None if that is not known.
    folder: of the run.
  """

  name: str
  status: str
  update: int = 0
  updates: int = 0
  reason: str = ''
  interruptions: int = 0
  seconds_left: float | None = None
  folder: str = ''

  @property
  def log(self) -> str:
    """Where its output is, a whole path; its folder if it is not in there."""
    if not leases.is_local(self.folder):
      return os.path.join(self.folder, 'log.txt')
    folder = os.path.abspath(self.folder)
    found = (os.path.join(folder, name) for name in _LOGS)
    return next((path for path in found if os.path.exists(path)), folder)


def state_of(job: jobs_lib.Job) -> State:
  """Reads how a run stands, each of its files once."""
  status, record = job.status(), job.record()
  kind, reason = status['status'], str(status.get('reason', ''))
  update, updates = _count(status, 'update'), _count(status, 'updates')
  left = None
  # What has ended has its last update in its status.
  if kind not in run_folder.DONE:
    line, wrote = progress(job.folder)
    update = max(update, line)
    if at_work(job):
      kind, reason, left = 'running', '', _seconds_left(job, update, updates, wrote)
      if record['waits'] and not training(job):
        kind, reason, left = 'queued', str(record['waits']), None
    elif cancelled := requests.reason(job.folder):
      kind, reason = 'cancelled', cancelled
    elif job.dropped or (not job.flags and record['dropped']):
      # Without an experiment it is as the launcher has last noted it.
      kind, reason = outcomes.NOT_SELECTED, job.dropped or record['dropped']
    elif record['error']:
      kind, reason = 'failed', str(record['error'])
    elif kind != 'failed':
      reason = f'{kind} before' if kind in ('running', 'stopped') else ''
      if job.until and job.done:
        reason = f'waits at {job.until} for the other copies'
      kind = 'queued'
  return State(job.name, kind, update, updates, reason, record['interruptions'], left,
               os.fspath(job.folder))


def _count(status: Mapping[str, Any], key: str) -> int:
  found = status.get(key, 0)
  return found if isinstance(found, int) else 0


def at_work(job: jobs_lib.Job) -> bool:
  """Whether a launcher or a training process holds the run's folder."""
  return training(job) or launched(job)


def training(job: jobs_lib.Job) -> bool:
  """Whether a training process holds the run's folder."""
  return locked(job.folder) or _held(job, 'train.lease')


def launched(job: jobs_lib.Job) -> bool:
  """Whether a launcher has the run in hand."""
  return _held(job, 'launcher.lease')


def _held(job: jobs_lib.Job, name: str) -> bool:
  found = leases.holder(os.path.join(job.folder, name))
  return bool(found and not leases.gone(found) and time.time() - found['time'] < _OLD_S)


def locked(folder: str | os.PathLike) -> bool:
  """Whether a training process of this machine holds the folder; False in a bucket."""
  if not leases.is_local(folder):
    return False
  try:
    with open(os.path.join(folder, '.lock')) as f:
      fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except FileNotFoundError:
    return False
  except BlockingIOError:
    return True
  return False


def locker(folder: str | os.PathLike) -> int | None:
  """Returns the process of this machine that holds the folder; None if Linux does not tell."""
  try:
    inode = os.stat(os.path.join(folder, '.lock')).st_ino
    with open('/proc/locks') as f:
      lines = [line.split() for line in f]
  except OSError:
    return None
  # '1: FLOCK ADVISORY WRITE 1234 fe:00:5678 0 EOF'
  return next((int(line[4]) for line in lines
               if line[1] == 'FLOCK' and line[5].rpartition(':')[2] == str(inode)
               and line[4].isdigit()), None)


def progress(folder: str | os.PathLike) -> tuple[int, float]:
  """Returns the update of the last whole line of metrics, and when it was written; 0, 0 without."""
  path = os.path.join(folder, 'metrics.jsonl')
  try:
    if leases.is_local(folder):
      with open(path, 'rb') as f:
        found = os.fstat(f.fileno())
        f.seek(max(0, found.st_size - _TAIL))
        tail, wrote = f.read(), found.st_mtime
    else:
      # A bucket gives the whole object.
      wrote, tail = epath.Path(path).stat().mtime or 0.0, epath.Path(path).read_bytes()
  except FileNotFoundError:
    return 0, 0.0
  for line in reversed(tail.split(b'\n')[:-1]):
    try:
      return json.loads(line)['update'], float(wrote)
    except (ValueError, KeyError, TypeError):
      continue
  return 0, 0.0


def _seconds_left(job: jobs_lib.Job, update: int, updates: int, wrote: float) -> float | None:
  run: Any = run_folder.RunFolder(job.folder).record('run.json')
  if not (run and run.get('starts') and updates):
    return None
  start = run['starts'][-1]
  began = time.mktime(time.strptime(start['time'][:19], '%Y-%m-%dT%H:%M:%S'))
  if update <= start['update'] or wrote <= began:
    return None
  return max(0.0, (updates - update) * (wrote - began) / (update - start['update'])
             - (time.time() - wrote))


def span(seconds: float | None) -> str:
  """Returns '3 s', '12 min', '5.5 h' or '2.1 days'; '' for None."""
  if seconds is None:
    return ''
  for size, unit in ((86400, 'days'), (3600, 'h')):
    if seconds >= size:
      return f'{seconds / size:.1f} {unit}'
  return f'{seconds / 60:.0f} min' if seconds >= 100 else f'{seconds:.0f} s'
