"""Evaluation of streamed images: each exactly once, at the test resolution."""

from collections.abc import Iterator

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import padding
from nfnets_am.data import tensorflow
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import records as records_lib


def eval_batches(records: records_lib.Records, batch: int, *, method: str, size: int, host: int = 0,
                 hosts: int = 1) -> Iterator[dict[str, np.ndarray]]:
  """Yields a split in stored order; over all hosts each image counts exactly once.

  Every host passes over the bytes of all records and decodes its own.

  Args:
    records: the split.
    batch: R, rows per batch and host.
    method: a name in crops.EVALUATION.
    size: S, test resolution in pixels.
    host: this host's number.
    hosts: how many there are; each gets the same number of batches.

  Yields:
    'image' uint8 [R, S, S, 3], 'label' int32 [R] and 'mask' float32 [R]: 1 for an image, 0 for a
    row that only fills the batch.

  Raises:
    errors.UserError: a record is bad; the sentence names it.
  """
  tf = tensorflow.import_tensorflow()
  crop = crops.EVALUATION[method]

  def decode(serialized):
    encoded, label = records.parse(serialized)
    return tf.ensure_shape(crop(records_lib.decode(encoded), size), [size, size, 3]), label

  lengths = tf.data.Dataset.from_tensor_slices(np.array(records.lengths, np.int64)).enumerate()
  dataset = lengths.flat_map(lambda shard, length: records.read(shard, 0, length))
  dataset = dataset.batch(batch).shard(hosts, host).unbatch()
  dataset = dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
  batches = dataset.batch(batch).prefetch(2).as_numpy_iterator()
  for first in padding.starts(records.total, batch, host, hosts):
    examples = np.arange(first, max(min(first + batch, records.total), first))
    image, label = np.zeros((0, size, size, 3), np.uint8), np.zeros(0, np.int64)
    try:
      if len(examples):
        image, label = next(batches)
    except (StopIteration, tf.errors.OpError) as e:
      raise errors.UserError(records_lib.find_fault(records, examples) or str(e)) from e
    wrong = (label < 0) | (label >= records.num_classes)
    if len(label) != len(examples) or wrong.any():
      raise errors.UserError(records_lib.find_fault(records, examples) or (
          f'the split {records.split!r} of {records.name!r} holds other records than its metadata '
          'says'))
    yield padding.fill({'image': image, 'label': label.astype(np.int32)}, batch)
