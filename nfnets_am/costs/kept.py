"""What was counted before on this machine: to trace a large network takes seconds."""

from collections.abc import Callable
import functools
import hashlib
import importlib.metadata
import json
import os
import pathlib
from typing import Any

from absl import logging

# What a count depends on beside its request.
_PACKAGE = pathlib.Path(__file__).parents[1]
_SOURCE = ('models', 'costs/counting.py', 'costs/kept.py')
_LIBRARIES = ('jax', 'dm-haiku')
_folder: list[pathlib.Path] = []


def enable(folder: str) -> None:
  """Keeps counts in a folder from now on, and takes those that it holds; '' keeps none."""
  _folder[:] = [pathlib.Path(folder).expanduser()] if folder else []


def of(request: Any, count: Callable[[], Any]) -> Any:
  """Returns what `count` returns, without calling it if it was kept.

  Args:
    request: what it depends on beside the source of the models, as JSON values.
    count: returns JSON values.
  """
  if not _folder:
    return count()
  path = _folder[0] / f'{_digest(json.dumps(request, sort_keys=True))}.json'
  try:
    return json.loads(path.read_text())
  except (OSError, ValueError):
    found = count()
  partial = path.with_name(f'.{path.name}.{os.getpid()}')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(json.dumps(found))
    partial.replace(path)
  except OSError as e:
    logging.warning('counts are not kept: %s cannot be written (%s)', path.parent, e.strerror)
    enable('')
  return found


def _digest(request: str) -> str:
  return hashlib.sha256(f'{_source()} {request}'.encode()).hexdigest()[:20]


@functools.cache
def _source() -> str:
  found = hashlib.sha256()
  for name in _LIBRARIES:
    found.update(importlib.metadata.version(name).encode())
  for part in _SOURCE:
    path = _PACKAGE / part
    for file in sorted(path.rglob('*.py')) if path.is_dir() else [path]:
      found.update(file.read_bytes())
  return found.hexdigest()
