"""A run that dies in the same way at the same update again and again: no restart mends it.

A run whose data or library ends its process dies where it died before, by SIGSEGV or SIGABRT. Three
deaths alike are one of these. The count is in launch.json, so that it outlives a launcher. SIGKILL
is never a process' own: whether somebody kills runs, machines are taken away or memory is short
cannot be told, and a run that is killed again and again while it starts is one to go on with, as
often as `--restarts` says.
"""

import signal

from launch import jobs as jobs_lib
from launch import states

MOST = 3
# What comes from outside: from a launcher, the system, a terminal.
_OUTSIDE = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL}


def of(names: str) -> str:
  """Returns the death of a run whose processes were killed by signals, 'SIGABRT, SIGSEGV'.

  '' if the signals come from outside.
  """
  return '' if set(names.split(', ')) <= {kind.name for kind in _OUTSIDE} else names


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
