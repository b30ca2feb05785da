"""A stand-in for a bucket: gs:// addresses that live in a folder, with what a bucket cannot do.

Objects appear when they are whole, cannot grow and have no locks. `python -m tests.bucket FOLDER
MODULE --flags` runs a command that finds its gs:// addresses there.
"""

import io
import os
import runpy
import sys

from etils.epath import backend
from etils.epath import gpath
import pytest


class Bucket(backend._OsPathBackend):
  """Maps gs://NAME/... to a folder; counts the objects written.

  Attributes:
    written: how often, by address.
    trouble: raised instead of opening anything, unless None.
    refused: how often it was raised.
  """

  def __init__(self, folder):
    self._folder = os.fspath(folder)
    self.written: dict[str, int] = {}
    self.trouble: Exception | None = None
    self.refused = 0

  def _at(self, path) -> str:
    return os.path.join(self._folder, os.fspath(path).removeprefix('gs://'))

  def open(self, path, mode):
    if self.trouble is not None:
      self.refused += 1
      raise self.trouble
    if 'a' in mode:
      raise io.UnsupportedOperation('an object cannot grow')
    if 'w' not in mode:
      return open(self._at(path), mode)
    os.makedirs(os.path.dirname(self._at(path)), exist_ok=True)
    self.written[os.fspath(path)] = self.written.get(os.fspath(path), 0) + 1
    return _Object(self._at(path), mode)

  def exists(self, path):
    return super().exists(self._at(path))

  def isdir(self, path):
    return super().isdir(self._at(path))

  def listdir(self, path):
    return super().listdir(self._at(path))

  def makedirs(self, path, *, exist_ok=False, mode=None):
    os.makedirs(self._at(path), exist_ok=True)

  def mkdir(self, path, *, exist_ok=False, mode=None):
    os.makedirs(self._at(path), exist_ok=True)

  def remove(self, path):
    super().remove(self._at(path))

  def stat(self, path):
    return super().stat(self._at(path))


class _Object:
  """A file that appears under its name when it is closed."""

  def __init__(self, path, mode):
    self._path, self._file = path, open(f'{path}.partial', mode)

  def __getattr__(self, name):
    return getattr(self._file, name)

  def __enter__(self):
    return self

  def __exit__(self, *_):
    self.close()

  def close(self):
    self._file.close()
    os.replace(f'{self._path}.partial', self._path)


def use(monkeypatch, folder) -> Bucket:
  """Sends all gs:// addresses of this process to a folder."""
  bucket = Bucket(folder)
  on_disk = gpath._GPath._backend
  monkeypatch.setattr(gpath._GPath, '_backend', property(
      lambda path: bucket if path._uri_scheme == 'gs' else on_disk.fget(path)))
  return bucket


if __name__ == '__main__':
  use(pytest.MonkeyPatch(), sys.argv[1])
  sys.argv[:3] = [sys.argv[2]]
  runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
