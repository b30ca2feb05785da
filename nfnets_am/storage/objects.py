"""Objects of Google's store that change only while they are as they were last seen.

The file layer writes over whatever is there. The store itself takes a condition with each request:
the generation, a number that every write changes, that the object must have, where 0 is that there
is none. Of several who write at once exactly one does. It needs the package google-cloud-storage,
which gcsfs brings, as the hosts of launch/hosts.py have it.
"""

import functools
import os
from typing import Any

from absl import logging

_SCHEME = 'gs://'


def open_object(path: str | os.PathLike) -> 'Object | None':
  """Returns an object by its address, or None where the store's library cannot be had."""
  address = os.fspath(path)
  if not address.startswith(_SCHEME):
    return None
  client = _client()
  if client is None:
    return None
  bucket, _, name = address.removeprefix(_SCHEME).partition('/')
  return Object(client.bucket(bucket), name)


class Object:
  """An object, and the generation in which it was seen last; one thread uses it at a time."""

  def __init__(self, bucket: Any, name: str):
    self._bucket, self._name = bucket, name
    self._generation = 0

  def read(self) -> str | None:
    """Returns what it holds, None where there is none, and remembers in which generation."""
    self._generation = 0
    blob = self._bucket.get_blob(self._name)
    if blob is None:
      return None
    try:
      # With the generation that get_blob found: never what another one held.
      data = blob.download_as_bytes(if_generation_match=blob.generation)
    except _errors().NotFound:
      return None
    except _errors().PreconditionFailed:
      return self.read()
    self._generation = blob.generation
    return data.decode(errors='replace')

  def write(self, text: str) -> bool:
    """Writes it if it is still as seen; returns whether it was."""
    blob = self._bucket.blob(self._name)
    try:
      blob.upload_from_string(text, if_generation_match=self._generation)
    except _errors().PreconditionFailed:
      return False
    self._generation = blob.generation
    return True

  def remove(self) -> bool:
    """Removes it if it is still as seen; returns whether it was."""
    try:
      self._bucket.blob(self._name).delete(if_generation_match=self._generation)
    except (_errors().PreconditionFailed, _errors().NotFound):
      return False
    return True


@functools.cache
def _client() -> Any:
  """Returns the process's client, or None without the library or a right to use it."""
  try:
    from google.auth import exceptions
    from google.cloud import storage
  except ImportError:
    return None
  try:
    return storage.Client()
  except (OSError, exceptions.GoogleAuthError) as e:
    logging.info('leases in buckets settle by waiting, without the store itself: %s', e)
    return None


def _errors() -> Any:
  from google.api_core import exceptions  # The library brings it.
  return exceptions
