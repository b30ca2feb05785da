"""Metrics of a run: JSON lines in metrics.jsonl; where else they go: sinks/.

metrics.jsonl holds nothing that depends on the clock, so that an interrupted run writes the same
file as an uninterrupted one, byte for byte.
"""

from collections.abc import Iterator
from collections.abc import Mapping
import json
import os
import sys
from typing import Any

from etils import epath

from nfnets_am.core import errors
from nfnets_am.storage import leases

# Bytes from the end of a file, more than the lines of an update take.
_BLOCK = 2048
_WAY_ON = "put the file back as it was, or remove the run's folder to begin again"


class MetricsFile:
  """metrics.jsonl: lines in the order of their updates, none lost and none doubled.

  Objects of a bucket cannot grow: there the file is written anew by `sync` and `close`, which is
  what a checkpoint counts on, and lines since then are only in memory.

  Attributes:
    lines: that are there, with those that are only in memory.
  """

  def __init__(self, path: str | os.PathLike, *, update: int, lines: int | None = None):
    """Opens the file to go on after `update`; lines of later updates are cut off.

    Args:
      path: of the file.
      update: of the checkpoint that the run goes on from.
      lines: that there must be up to it; None is any number.

    Raises:
      UserError: a line before the last is not JSON, lines are missing, or the file cannot be
        written.
    """
    self.path = epath.Path(path)
    self._file = None
    kept = [line for line, _ in _lines_until(self.path, update)]
    if lines is not None and len(kept) != lines:
      raise errors.UserError(
          f'{self.path} holds {len(kept)} lines up to update {update}, and the checkpoint of that '
          f'update was saved after {lines}; {_WAY_ON}')
    self.lines = len(kept)
    # In a bucket: all lines, and how many of them are written.
    self._lines, self._written = kept, -1
    if not leases.is_local(path):
      return
    self._lines = []
    try:
      self._file = open(self.path, 'ab')
      self._file.truncate(sum(map(len, kept)))
    except OSError as e:
      raise errors.UserError(f'{self.path} cannot be written: {e.strerror}') from None

  def write(self, line: Mapping[str, Any]) -> None:
    """Appends one line; 'update' is one of its keys."""
    self.lines += 1
    if self._file is None:
      self._lines.append(json.dumps(line).encode() + b'\n')
      return
    try:
      self._file.write(json.dumps(line).encode() + b'\n')
      self._file.flush()
    except OSError as e:
      raise errors.UserError(f'{self.path} cannot be written: {e.strerror}') from None

  def sync(self) -> None:
    """Puts the lines on disk; called before a checkpoint that counts on them."""
    if self._file is None:
      if self._written != len(self._lines):
        self.path.write_bytes(b''.join(self._lines))
        self._written = len(self._lines)
      return
    try:
      os.fsync(self._file.fileno())
    except OSError as e:
      raise errors.UserError(f'{self.path} cannot be written: {e.strerror}') from None

  def close(self) -> None:
    if self._file is None:
      self.sync()
    else:
      self._file.close()


def _lines_until(path: epath.Path, update: int) -> Iterator[tuple[bytes, dict[str, Any]]]:
  """Yields the whole lines up to `update`, as they are and as they read.

  One after the other: of a long file the parsed lines take several times its size. A last line
  without its end was being written, and is left out.
  """
  if not path.exists():
    return
  lines = path.read_bytes().splitlines(keepends=True)
  if lines and not lines[-1].endswith(b'\n'):
    lines.pop()
  for number, line in enumerate(lines):
    try:
      parsed = json.loads(line)
      later = parsed['update'] > update
    except (ValueError, KeyError, TypeError):
      raise errors.UserError(
          f'{path}: line {number + 1} is not a line of metrics; {_WAY_ON}') from None
    if later:
      return
    yield line, parsed


def read(path: str | os.PathLike) -> list[dict[str, Any]]:
  """Returns the lines of a metrics.jsonl, less an unfinished last one; no file is no lines."""
  return [parsed for _, parsed in _lines_until(epath.Path(path), sys.maxsize)]


def read_end(path: str | os.PathLike, update: int) -> list[dict[str, Any]]:
  """Returns the lines of `update` at the end of a file, which may have many before; as `read`.

  Raises:
    UserError: one of them is not JSON.
  """
  if not leases.is_local(path):
    return [line for line in read(path) if line['update'] == update]
  try:
    with open(path, 'rb') as f:
      size = f.seek(0, os.SEEK_END)
      block = _BLOCK
      while True:
        start = max(0, size - block)
        f.seek(start)
        lines = f.read(size - start).split(b'\n')
        # The first may be cut in two; behind the last line's end is nothing, or an unfinished one.
        found = [json.loads(line) for line in lines[1 if start else 0:-1]]
        if not start or (found and found[0]['update'] < update):
          return [line for line in found if line['update'] == update]
        block *= 4
  except FileNotFoundError:
    return []
  except (ValueError, KeyError, TypeError):
    raise errors.UserError(f'{path}: its end is not lines of metrics') from None
