"""A stand-in for google-cloud-storage: objects with generations, and conditions on them.

As the store documents it: a write gives a new generation, `if_generation_match=0` is that there is
no object, and a condition that does not hold is error 412.
"""

import sys
import threading
import time
import types


class NotFound(Exception):
  pass


class PreconditionFailed(Exception):
  pass


class Store:
  """What several clients see. `delay_s` is the way of each request."""

  def __init__(self, delay_s: float = 0.0):
    self.objects: dict[str, tuple[int, str]] = {}
    self.delay_s = delay_s
    self._generation = 1000
    self._lock = threading.Lock()

  def check(self, name, if_generation_match):
    there = self.objects.get(name, (0, ''))[0]
    if if_generation_match is not None and if_generation_match != there:
      raise PreconditionFailed(f'412: {there}')

  def put(self, name, text, if_generation_match=None):
    time.sleep(self.delay_s)
    with self._lock:
      self.check(name, if_generation_match)
      self._generation += 1
      self.objects[name] = self._generation, text
      return self._generation

  def delete(self, name, if_generation_match=None):
    with self._lock:
      if name not in self.objects:
        raise NotFound(name)
      self.check(name, if_generation_match)
      del self.objects[name]


class _Bucket:

  def __init__(self, store):
    self._store = store

  def blob(self, name):
    return _Blob(self._store, name)

  def get_blob(self, name):
    if name not in self._store.objects:
      return None
    blob = _Blob(self._store, name)
    blob.generation = self._store.objects[name][0]
    return blob


class _Blob:

  def __init__(self, store, name):
    self._store, self._name, self.generation = store, name, None

  def upload_from_string(self, text, *, if_generation_match=None):
    self.generation = self._store.put(self._name, text, if_generation_match)

  def download_as_bytes(self, *, if_generation_match=None):
    if self._name not in self._store.objects:
      raise NotFound(self._name)
    self._store.check(self._name, if_generation_match)
    return self._store.objects[self._name][1].encode()

  def delete(self, *, if_generation_match=None):
    self._store.delete(self._name, if_generation_match)


def use(monkeypatch, store: Store) -> None:
  """Lets `from google.cloud import storage` find the stand-in."""
  client = types.SimpleNamespace(bucket=lambda name: _Bucket(store))
  found = {
      'google.cloud': {'storage': types.SimpleNamespace(Client=lambda: client)},
      'google.auth': {'exceptions': types.SimpleNamespace(GoogleAuthError=RuntimeError)},
      'google.api_core': {'exceptions': types.SimpleNamespace(
          NotFound=NotFound, PreconditionFailed=PreconditionFailed)}}
  for name, holds in found.items():
    module = types.ModuleType(name)
    vars(module).update(holds)
    monkeypatch.setitem(sys.modules, name, module)
