"""What a person asks of one run while launchers come and go: a file in the run's folder.

Every launcher of the sweep, on whatever machine, finds it there; none of them needs to be asked.
"""

import getpass
import os
import time
from typing import Any

from nfnets_am.storage import run_folder

# There as long as the run is not to go on.
_FILE = 'cancelled.json'


def cancel(folder: str | os.PathLike) -> None:
  """Asks that a run stops, and is not started again until `restore`."""
  run = run_folder.RunFolder(folder)
  run.path.mkdir(parents=True, exist_ok=True)
  run.write(_FILE, {'by': _user(), 'time': time.strftime('%Y-%m-%d %H:%M:%S')})


def restore(folder: str | os.PathLike) -> bool:
  """Takes a cancellation back; returns whether there was one."""
  path = run_folder.RunFolder(folder).path / _FILE
  there = path.exists()
  path.unlink(missing_ok=True)
  return there


def cancelled(folder: str | os.PathLike) -> bool:
  """Whether a run is not to go on."""
  return (run_folder.RunFolder(folder).path / _FILE).exists()


def reason(folder: str | os.PathLike) -> str:
  """Returns who cancelled a run and when, such as 'by ann at 2026-05-01 12:00:00'; '' if nobody."""
  found: Any = run_folder.RunFolder(folder).record(_FILE)
  if not isinstance(found, dict):
    return ''
  return f'by {found.get("by", "?")} at {found.get("time", "?")}'


def _user() -> str:
  try:
    return getpass.getuser()
  except (KeyError, OSError):  # A container without a name for its user.
    return 'somebody'
