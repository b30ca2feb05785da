"""A run that dies in the same way at the same update again and again: no restart mends it.

A machine that is taken away, or somebody who kills a run, strikes where it happens to be. A run
that asks for too much memory, or whose data ends its process, dies where it died before. Three
deaths alike are one of these. The count is in launch.json, so that it outlives a launcher.
"""

import signal

from launch import jobs as jobs_lib
from launch import states

MOST = 3
# What a process gets that is told to leave: by its launcher, by the system, at a terminal.
_ASKED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


def of(names: str) -> str:
  """Returns the death of a run whose processes were killed by signals, 'SIGABRT, SIGKILL'.

  '' if the signals are those of somebody who asks a process to leave.
  """
  return '' if set(names.split(', ')) <= {kind.name for kind in _ASKED} else names


def of_status(code: int) -> str:
  """As `of`, of the exit status that a shell gives; '' where no signal killed it."""
  try:
    return of(signal.Signals(code - 128).name)
  except ValueError:
    return ''


def count(job: jobs_lib.Job, ending: jobs_lib.Ending) -> str:
  """Notes how a start of a run ended; the one that holds its lease calls it.

  Progress begins the count anew, and so does another way to end.

  Args:
    job: the run.
    ending: of its start.

  Returns:
    Why it is not to be started again, or ''.
  """
  before = job.record()['deaths']
  if not ending.death:
    if before:
      job.note(deaths={})
    return ''
  found = {'death': ending.death, 'update': _update(job)}
  times = 1
  if isinstance(before, dict) and before.items() >= found.items():
    times += before.get('times', 0)
  # The same command tries a failed run again: with a new count.
  job.note(deaths={**found, 'times': times} if times < MOST else {})
  if times < MOST:
    return ''
  return (f'killed by {found["death"]} {times} times in a row at update {found["update"]}: another '
          'start would be too')


def _update(job: jobs_lib.Job) -> int:
  """How far the run is by its folder: its lines of metrics, and where its last start began."""
  known = states.progress(job.folder)[0], job.status().get('update', 0)
  return max((update for update in known if isinstance(update, int)), default=0)
