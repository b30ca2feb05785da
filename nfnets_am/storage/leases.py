"""Leases: who works on a folder, told by a file with a heartbeat; on disks and on object stores.

A lease is free when its file is missing, when its holder is a process of this machine that is gone,
or when its heartbeat has not moved for STALE_S of the watcher's own clock: the clocks of two
machines are never compared. To take one is one step: under a lock on a disk, by the store's own
precondition in a bucket (objects.py), and by writing and waiting where neither is to be had.
"""

import fcntl
import json
import os
import pathlib
import platform
import threading
import time
from typing import Any
import uuid

from etils import epath

from nfnets_am.core import errors
from nfnets_am.storage import objects

BEAT_S = 15.0
STALE_S = 120.0
# The file layer of an object store has no exclusive create: of several who write through it, the
# last one holds the lease, and by then all have written.
_SETTLE_S = 3.0
# What a lease's file holds, at least.
_FIELDS = {'token': str, 'machine': str, 'pid': int, 'started': str, 'beats': int,
           'time': (int, float)}


def is_local(path: str | os.PathLike) -> bool:
  """Whether a path is on a file system of this machine, not gs:// or the like."""
  return '://' not in os.fspath(path)


class Lease:
  """A lease on what a file stands for; a thread keeps its heartbeat while it is held.

  Attributes:
    lost: whether somebody else took it over, because the heartbeat stood still for too long.
  """

  def __init__(self, path: str | os.PathLike, *, beat_s: float | None = None):
    """Makes a lease that is not held yet.

    Args:
      path: of the file; its folder must be there on a disk.
      beat_s: seconds between two heartbeats, BEAT_S by default.
    """
    self._path = epath.Path(path)
    self._object: objects.Object | None = None
    self._opened = False
    self._beat_s = beat_s or BEAT_S
    self._token = uuid.uuid4().hex
    self._beats = 0
    self._end = threading.Event()
    self._thread: threading.Thread | None = None
    # The content seen last, and since when by our own clock.
    self._seen: tuple[Any, float] | None = None
    self.lost = False

  def acquire(self) -> bool:
    """Takes the lease if it is free; returns whether it is held now."""
    if not self._free():
      return False
    if is_local(self._path):
      # Between two processes of one disk the check and the write are one step.
      with open(self._path.with_name(f'.{self._path.name}.lock'), 'w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not self._free():
          return False
        self._write()
    elif self._store() is not None:
      if not self._write():
        return False
    else:
      self._write()
      time.sleep(_SETTLE_S)
      if (self.holder() or {}).get('token') != self._token:
        return False
    self.lost = False
    self._end.clear()
    self._thread = threading.Thread(target=self._beat, daemon=True)
    self._thread.start()
    return True

  def release(self) -> None:
    """Gives the lease back, if it is still ours."""
    if self._thread is None:
      return
    self._end.set()
    self._thread.join()
    self._thread = None
    try:
      if (self.holder() or {}).get('token') == self._token:
        if self._store() is not None:
          self._store().remove()
        else:
          self._path.unlink(missing_ok=True)
    except Exception as e:
      if not errors.is_storage(e):
        raise

  def watch(self) -> None:
    """Looks at a lease that is not held, so that its heartbeat's silence counts from now on."""
    try:
      self._free()
    except Exception as e:
      if not errors.is_storage(e):
        raise

  def holder(self) -> dict[str, Any] | None:
    """Returns what the file says of its holder ('machine', 'pid', 'beats', 'time'), or None."""
    return holder(self._path) if self._store() is None else _parse(self._store().read())

  def _store(self) -> objects.Object | None:
    """Returns the lease as an object of its store, opened when it is first needed."""
    if not self._opened:
      self._object, self._opened = objects.open_object(self._path), True
    return self._object

  def _free(self) -> bool:
    found = self.holder()
    if found is None or found.get('token') == self._token or gone(found):
      return True
    if self._seen is None or self._seen[0] != found:
      self._seen = found, time.monotonic()
    return time.monotonic() - self._seen[1] > STALE_S

  def _write(self) -> bool:
    """Writes the next heartbeat; False if somebody else wrote since `holder` looked."""
    self._beats += 1
    text = json.dumps({
        'token': self._token, 'machine': _machine(), 'pid': os.getpid(),
        'started': _started(os.getpid()), 'beats': self._beats, 'time': time.time()})
    if is_local(self._path):
      partial = self._path.with_name(f'.{self._path.name}.{self._token}')
      partial.write_text(text)
      os.replace(partial, self._path)
    elif self._store() is not None:
      return self._store().write(text)
    else:
      self._path.write_text(text)
    return True

  def _beat(self) -> None:
    while not self._end.wait(self._beat_s):
      try:
        found = self.holder()
        if found is not None and found.get('token') != self._token:
          self.lost = True
          return
        self._write()
      except Exception as e:
        if not errors.is_storage(e):
          raise
        # A disk that is full, a bucket that is away for a moment; the next beat tries again.


def holder(path: str | os.PathLike) -> dict[str, Any] | None:
  """Returns what a lease's file says, or None if there is none that can be read."""
  try:
    return _parse(epath.Path(path).read_text())
  except (FileNotFoundError, UnicodeDecodeError):
    return None


def _parse(text: str | None) -> dict[str, Any] | None:
  """As `holder`, of the content of its file, None if there is none."""
  try:
    found = json.loads(text) if text is not None else None
  except ValueError:
    return None  # Cut off by a full disk: nobody's.
  # Neither is what somebody else has written there.
  whole = isinstance(found, dict) and all(
      isinstance(found.get(key), kind) for key, kind in _FIELDS.items())
  return found if whole else None


def gone(found: dict[str, Any]) -> bool:
  """Whether the holder was a process of this machine that has ended."""
  if found.get('machine') != _machine():
    return False
  try:
    os.kill(found['pid'], 0)
  except ProcessLookupError:
    return True
  except PermissionError:
    return False
  # Another process may have its number by now.
  return _started(found['pid']) != found['started']


def _machine() -> str:
  """Names this machine until it is booted again."""
  try:
    boot = pathlib.Path('/proc/sys/kernel/random/boot_id').read_text().strip()
  except OSError:
    boot = ''
  return f'{platform.node()}/{boot}'


def _started(pid: int) -> str:
  """Returns when a process started, in ticks since boot; '' where the system does not say."""
  try:
    stat = pathlib.Path(f'/proc/{pid}/stat').read_text()
  except OSError:
    return ''
  # The second field is a name in brackets, in which anything may stand.
  return stat.rpartition(')')[2].split()[19]
