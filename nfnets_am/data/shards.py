"""Reads runs of records from one shard, whatever its format."""

from typing import Any

from nfnets_am import registry
from nfnets_am.data import tensorflow

# Records fetched together from a file that is indexed.
_CHUNK = 64


def _tfrecord(path: Any, first: Any, count: Any) -> Any:
  tf = tensorflow.import_tensorflow()
  # `skip` hops from header to header.
  return tf.data.TFRecordDataset(path).skip(first).take(count)


def _array_record(path: Any, first: Any, count: Any) -> Any:
  tf = tensorflow.import_tensorflow()
  return tf.data.Dataset.from_generator(
      _array_records, args=(path, first, count), output_signature=tf.TensorSpec([], tf.string))


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
