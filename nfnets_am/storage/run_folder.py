"""The folder of one run, on a disk or in a bucket: what it was asked to do, and how it stands.

    config.json     the config, as run
    run.json        derived numbers, and for every start: versions, git commit, command, time
    status.json     running, finished, stopped, diverged or failed, and why
    metrics.jsonl   see metrics.py
    checkpoints/    see checkpoints.py
"""

from collections.abc import Mapping
import fcntl
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
import sys
import time
from typing import Any

from absl import logging
from etils import epath

import nfnets_am
from nfnets_am.config import identity
from nfnets_am.core import errors
from nfnets_am.storage import leases

# 'stopped' is a signal's: the run saved its last update and goes on with the same command.
STATUSES = ('running', 'finished', 'stopped', 'diverged', 'failed')
# Ends of a run's own: the same command would only say them again.
DONE = ('finished', 'diverged')
_PACKAGES = ('jax', 'jaxlib', 'dm-haiku', 'optax', 'orbax-checkpoint', 'numpy', 'tensorflow',
             'tensorflow-cpu', 'tensorflow-datasets', 'libtpu', 'sacrebleu', 'sentencepiece')


class RunFolder:
  """One run's folder, held by one process of each host at a time.

  Attributes:
    path: of it.
    name: of the run, once it is open; '' on hosts that only read.
  """

  def __init__(self, path: str | os.PathLike, writer: bool = True):
    """Opens a folder.

    Args:
      path: made if it is missing and `writer` is set.
      writer: whether this process writes (host 0) or only reads.
    """
    self.path = epath.Path(path)
    self._writer = writer
    self._lock = None
    self._lease: leases.Lease | None = None
    self.name = ''
    # When this process' start was recorded, by the monotonic clock.
    self._began: float | None = None

  def open(self, config: Any, defaults: Mapping[str, Any]) -> None:
    """Takes the folder for a run of `config`.

    Args:
      config: complete.
      defaults: dotted key -> JSON value of its keys, see training/sections.py.

    Raises:
      UserError: the folder cannot be written, holds a run of another config, or is in use.
    """
    if not self._writer:
      return
    try:
      self.path.mkdir(parents=True, exist_ok=True)
      if leases.is_local(self.path):
        self._lock = open(self.path / '.lock', 'w')
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
      else:
        self._take_lease()
    except BlockingIOError:
      raise errors.UserError(f'{self.path} is in use by another training process') from None
    except OSError as e:
      raise errors.UserError(f'workdir {self.path} cannot be written: {e.strerror}') from None
    flat = identity.to_json(config)
    self.name = identity.run_name(flat, defaults)
    before = self._config()
    if before is None:
      self.write('config.json', flat)
      return
    # A key that the code did not have then, had what is its default now.
    before = {key: value for key, value in defaults.items() if key in flat} | before
    for key in sorted((before.keys() | flat.keys()) - identity.free_keys(before, flat)):
      if identity.as_json(before.get(key)) != flat.get(key):
        raise errors.UserError(
            f'{self.path} holds a run with {key}={before.get(key)!r}, this config says '
            f'{flat.get(key)!r}; take another workdir, or the same config to resume')

  def _config(self) -> dict[str, Any] | None:
    """Returns config.json, or None if this run is to write it.

    Raises:
      UserError: it is lost or damaged, and the folder holds a run of another config.
    """
    before, lost = None, 'is missing'
    try:
      before = self.read('config.json')
    except errors.UserError as e:
      lost = 'cannot be read'
      logging.warning('%s; it is written anew if this is the same run', e)
    if before is not None:
      return before
    known = (self.record('run.json') or {}).get('name')
    if known is not None and known != self.name:
      raise errors.UserError(
          f'{self.path / "config.json"} {lost}, and run.json tells of a run {known}, where this '
          f'config is {self.name}; take another workdir, or the same config to resume')
    return None

  def close(self) -> None:
    """Lets the folder go."""
    if self._lock:
      self._lock.close()
      self._lock = None
    if self._lease:
      self._lease.release()
      self._lease = None

  def _take_lease(self) -> None:
    """A bucket has no locks. A holder that is silent, as one whose machine was taken away, is
    waited for; raises BlockingIOError if there is one that lives."""
    lease = leases.Lease(self.path / 'train.lease')
    end = time.monotonic() + leases.STALE_S + 2 * leases.BEAT_S
    while not lease.acquire():
      if time.monotonic() > end:
        raise BlockingIOError
      time.sleep(leases.BEAT_S / 3)
    self._lease = lease

  def record_start(self, derived: dict[str, Any], update: int, hardware: str) -> None:
    """Adds this start to run.json: where it begins, with which code and libraries, and on what.

    Its hours are added when a status other than 'running' is set; a start that was killed has none.
    """
    self._began = time.monotonic()
    if not self._writer:
      return
    starts = (self.record('run.json') or {}).get('starts', [])
    starts.append({
        'update': update,
        'time': time.strftime('%Y-%m-%dT%H:%M:%S%z'),
        'command': sys.argv,
        'version': nfnets_am.__version__,
        'commit': git_commit(),
        'host': platform.node(),
        'hardware': hardware,
        'python': platform.python_version(),
        'versions': versions(),
    })
    self.write('run.json', {'name': self.name, 'derived': derived, 'starts': starts})

  def set_status(self, status: str, **details: Any) -> None:
    """Writes status.json: one of STATUSES, with details such as the update and the reason."""
    assert status in STATUSES, status
    if not self._writer:
      return
    if status != 'running' and self._began is not None:
      self._record_hours((time.monotonic() - self._began) / 3600)
    self.write('status.json', {'status': status, **details})

  def _record_hours(self, hours: float) -> None:
    record = self.record('run.json')
    starts = record.get('starts') if isinstance(record, dict) else None
    if isinstance(starts, list) and starts and isinstance(starts[-1], dict):
      starts[-1]['hours'] = round(hours, 6)
      self.write('run.json', record)

  def status(self) -> dict[str, Any]:
    """Returns status.json, or {'status': 'missing'} if there is none that can be read."""
    found = self.record('status.json')
    # Nothing depends on it: the checkpoints say where the run stands.
    return found if isinstance(found, dict) and 'status' in found else {'status': 'missing'}

  def record(self, name: str) -> Any | None:
    """Returns a JSON file that no run depends on: None, and a warning, if it cannot be read."""
    try:
      return self.read(name)
    except errors.UserError as e:
      logging.warning('%s; it is written anew', e)
      return None

  def read(self, name: str) -> Any | None:
    """Returns a JSON file of the folder, or None if there is none.

    Raises:
      UserError: the file is not JSON.
    """
    try:
      return json.loads((self.path / name).read_text())
    except FileNotFoundError:
      return None
    except (json.JSONDecodeError, OSError) as e:
      raise errors.UserError(f'{self.path / name} cannot be read: {e}') from None

  def write(self, name: str, value: Any) -> None:
    """Writes a JSON file whole or not at all."""
    path = self.path / name
    if not leases.is_local(path):
      # A bucket shows an object when it is whole.
      path.write_text(json.dumps(value, indent=1) + '\n')
      return
    partial = path.with_name(f'.{name}.tmp')
    try:
      with open(partial, 'w') as f:
        json.dump(value, f, indent=1)
        f.write('\n')
        f.flush()
        os.fsync(f.fileno())
      os.replace(partial, path)
    except OSError as e:
      raise errors.UserError(f'{path} cannot be written: {e.strerror}') from None


def versions() -> dict[str, str]:
  """Returns the versions of the libraries that results depend on."""
  found = {}
  for package in _PACKAGES:
    try:
      found[package] = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
      continue
  return found


def git_commit() -> str:
  """Returns the commit of this code, with '+changes' if files differ from it; '' if git does not
  keep it: an installed copy may lie within another repository."""
  def git(*args: str) -> str:
    return subprocess.run(
        ['git', *args], cwd=pathlib.Path(__file__).parent, capture_output=True, text=True,
        timeout=20, check=True).stdout.strip()

  try:
    git('ls-files', '--error-unmatch', pathlib.Path(__file__).name)
    return git('rev-parse', 'HEAD') + ('+changes' if git('status', '--porcelain', '-uno') else '')
  except (OSError, subprocess.SubprocessError):
    return ''
