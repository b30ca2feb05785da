"""Evaluation of streamed images: each exactly once, at the test resolution or in several views."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import padding
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import records as records_lib


def eval_batches(records: records_lib.Records, batch: int, *, method: str, size: int, host: int = 0,
                 hosts: int = 1) -> Iterator[dict[str, np.ndarray]]:
  """Yields a split in stored order; over all hosts each image counts exactly once.

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
  crop, whole = crops.EVALUATION[method], (size, size, 3)
  cut = lambda image, _: tensorflow.import_tensorflow().ensure_shape(crop(image, size), whole)
  # What the middle of an image is does not hang on draws.
  none = lambda examples: np.zeros(len(examples), np.int32)
  yield from _batches(records, batch, host, hosts, whole, cut, none)


def crop_batches(records: records_lib.Records, batch: int, *, way: ops.Augmentation, count: int,
                 seed: int, host: int = 0, hosts: int = 1) -> Iterator[dict[str, np.ndarray]]:
  """As `eval_batches`, with views of each image as training cuts them: its crop, and its flip.

  Args:
    records: the split.
    batch: R, rows per batch and host.
    way: an image's, from a crop of side S on; ops behind it and its flip are left out.
    count: V, views of an image, which is decoded once.
    seed: of the draws, in [0, 2**32); a view depends on it, on the image's place in the split and
      on its own number, and on nothing else.
    host, hosts: as of `eval_batches`.

  Yields:
    As `eval_batches`, but 'image' uint8 [R, V, S, S, 3].
  """
  size = way.crop
  cut = lambda image, drawn: crops.views_of(image, drawn, size)

  def draws(examples):
    rows = views.Rows(*(x.astype(np.int32) for x in (
        np.repeat(examples, count), np.zeros(len(examples) * count),
        np.tile(np.arange(count), len(examples)))))
    drawn = way.draws(seed, rows, size, size, way.read)
    crop, *flip = way.labels[:way.read]
    found = {**drawn[crop], 'flip': drawn[flip[0]]['flip'] if flip else np.zeros_like(rows.view)}
    return {name: x.reshape(len(examples), count, *x.shape[1:]) for name, x in found.items()}

  yield from _batches(records, batch, host, hosts, (count, size, size, 3), cut, draws)


def _batches(records: records_lib.Records, batch: int, host: int, hosts: int,
             shape: tuple[int, ...], cut: Callable[[Any, Any], Any],
             draws: Callable[[np.ndarray], Any]) -> Iterator[dict[str, np.ndarray]]:
  """Batches of what `cut` makes, uint8 `shape`, of a decoded image and of its part of `draws`.

  Every host passes over the bytes of all records and decodes its own.
  """
  tf = tensorflow.import_tensorflow()
  starts = padding.starts(records.total, batch, host, hosts)
  examples_from = lambda first: np.arange(first, max(min(first + batch, records.total), first))

  def decode(serialized, drawn):
    encoded, label = records.parse(serialized)
    return cut(records_lib.decode(encoded), drawn), label

  lengths = tf.data.Dataset.from_tensor_slices(np.array(records.lengths, np.int64)).enumerate()
  dataset = lengths.flat_map(lambda shard, length: records.read(shard, 0, length))
  dataset = dataset.batch(batch).shard(hosts, host).unbatch()
  spec = tf.nest.map_structure(
      lambda x: tf.TensorSpec((None, *x.shape[1:]), x.dtype), draws(np.zeros(1, int)))
  drawn = tensorflow.from_generator(
      lambda: (draws(examples_from(first)) for first in starts), spec).unbatch()
  dataset = tf.data.Dataset.zip((dataset, drawn))
  dataset = dataset.map(decode, num_parallel_calls=tf.data.AUTOTUNE)
  dataset = dataset.batch(batch).prefetch(2).with_options(tensorflow.options())
  batches = dataset.as_numpy_iterator()
  for first in starts:
    examples = examples_from(first)
    image, label = np.zeros((0, *shape), np.uint8), np.zeros(0, np.int64)
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
