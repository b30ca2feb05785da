"""Reads runs of records from one shard, whatever its format; and keeps shards on a local disk."""

import functools
import hashlib
import os
import threading
from typing import Any

from absl import logging
import numpy as np

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import tensorflow
from nfnets_am.data import tfrecords

# Records fetched together from a file that is indexed.
_CHUNK = 64


def _tfrecord(path: Any, first: Any, count: Any) -> Any:
  tf = tensorflow.import_tensorflow()
  first = tf.cast(first, tf.int64)
  stop = first + tf.cast(count, tf.int64)
  # TensorFlow reads no header that is damaged: a wrong length may end the process.
  if tf.executing_eagerly():
    sound, damaged = _sound(tf.constant(path).numpy(), int(stop))
  else:
    sound, damaged = (tf.ensure_shape(x, []) for x in tf.numpy_function(
        _sound, [path, stop], [tf.int64, tf.int64]))
  # `skip` hops from header to header.
  whole = tf.data.TFRecordDataset(path).skip(tf.minimum(first, sound)).take(
      tf.maximum(sound - first, 0))
  rest = tf.data.Dataset.range(damaged).map(
      lambda _: tf.ensure_shape(tf.numpy_function(_refuse, [path], tf.string), []))
  return whole.concatenate(rest)


def _sound(path: bytes, stop: int) -> tuple[np.int64, np.int64]:
  sound, damaged = tfrecords.sound(path.decode(), int(stop))
  return np.int64(sound), np.int64(damaged)


def _refuse(path: bytes) -> bytes:
  raise ValueError(tfrecords.fault(path.decode()))


def _array_record(path: Any, first: Any, count: Any) -> Any:
  tf = tensorflow.import_tensorflow()
  return tensorflow.from_generator(
      _array_records, tf.TensorSpec([], tf.string), (path, first, count))


def _array_records(path, first, count):
  # Here, since only those who store their sets this way need the package, which TFDS brings.
  from array_record.python import array_record_module
  reader = array_record_module.ArrayRecordReader(path.decode())
  try:
    stop = min(first + count, reader.num_records())
    for low in range(first, stop, _CHUNK):
      yield from reader.read(low, min(low + _CHUNK, stop))
  finally:
    reader.close()


# Each takes a path (string), the first record and a number of records (int64), Python values or
# tensors, and returns a tf.data.Dataset of serialized records; fewer where the file ends before.
FORMATS = registry.Registry('file format', {
    'array_record': _array_record, 'tfrecord': _tfrecord})


def open_cache(folder: str, path: str) -> str:
  """Makes the part of a cache that holds the shards beside `path`.

  Raises:
    errors.UserError: the folder cannot be written.
  """
  # By where the set lies: two versions of a set name their shards alike.
  origin = hashlib.sha256(os.path.dirname(path).encode()).hexdigest()[:16]
  made = os.path.join(folder, origin)
  try:
    os.makedirs(made, exist_ok=True)
  except OSError as e:
    raise errors.UserError(f'data.cache={folder!r} cannot be written: {e.strerror}') from None
  return made


def cached(path: Any, folder: str) -> Any:
  """Returns the local copy of a shard, which its first reader makes.

  A copy takes its name only when it is whole, so a process that dies leaves none behind that is
  not. When the disk is full, the shard is read where it lies.

  Args:
    path: string scalar, Python or tensor.
    folder: of open_cache.
  """
  tf = tensorflow.import_tensorflow()

  # A graph of its own: called outside of one, TensorFlow hands over an array in place of bytes.
  @tf.function
  def local():
    return tf.numpy_function(
        lambda path: local_copy(path.decode(), folder).encode(), [path], tf.string)

  return tf.ensure_shape(local(), [])


def local_copy(path: str, folder: str) -> str:
  """As `cached`, of Python's own strings."""
  tf = tensorflow.import_tensorflow()
  local = os.path.join(folder, os.path.basename(path))
  # Lanes read side by side; one of them copies, the others of this shard wait.
  with _lock(local):
    if not os.path.exists(local):
      partial = f'{local}.{os.getpid()}.{threading.get_ident()}'
      try:
        tf.io.gfile.copy(path, partial, overwrite=True)
        os.replace(partial, local)
      except (OSError, tf.errors.OpError) as e:
        logging.warning('data.cache: %s is read where it lies: %s', path, e)
        if os.path.exists(partial):
          os.remove(partial)
        return path
  return local


@functools.cache
def _lock(local: str) -> threading.Lock:
  return threading.Lock()
