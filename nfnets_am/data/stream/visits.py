"""Encoded records of the images of every update, in order, in one tf.data graph."""

from collections.abc import Callable
from collections.abc import Iterator
from typing import Any

import numpy as np

from nfnets_am.data import tensorflow
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records as records_lib

# Blocks of a lane in memory at once: one is being handed out, one waits, one is being read.
BLOCKS_HELD = 3


def window(records: records_lib.Records, images: int, megabytes: int) -> int:
  """Returns how many images to shuffle among each other.

  Args:
    records: whose mean size counts.
    images: at most so many.
    megabytes: what all hosts together hold of them at most, blocks read ahead included.
  """
  return max(1, min(images, int(megabytes * 1e6 / (BLOCKS_HELD * records.mean_bytes))))


def visits(records: records_lib.Records, plan: stream_order.StreamPlan, start: int, stop: int,
           which: Callable[[int], int] = lambda k: k) -> Any:
  """Reads the records of this host's images, decoding none.

  Args:
    records: the images.
    plan: their order.
    start: first update.
    stop: one past the last update.
    which: the update whose images are to be read in place of those of update k;
      plan.elsewhere for partners.

  Returns:
    A tf.data.Dataset of stop - start elements: serialized records, string [plan.share], in
    the order of the plan's unique images.
  """
  tf, as_written = tensorflow.import_tensorflow(), tensorflow.as_written
  ranges = list(_ranges(which, start, stop))

  def read(segments, order):
    files = tf.data.Dataset.from_tensor_slices(segments).flat_map(
        as_written(lambda s: records.read(s[0], s[1], s[2])))
    # One element of all records: `order` picks from it. Too few is an error of tf.gather.
    size = tf.reduce_sum(segments[:, 2])
    return tf.gather(files.batch(size).get_single_element(), order)

  def lane(number):
    def blocks():
      for low, high in ranges:
        yield from plan.blocks(number, low, high)

    spec = stream_order.Block(tf.TensorSpec([None, 3], tf.int64), tf.TensorSpec([None], tf.int32))
    dataset = tensorflow.from_generator(lambda: map(tuple, blocks()), tuple(spec))
    dataset = dataset.map(as_written(read)).prefetch(1).unbatch()
    return dataset.batch(plan.per_lane, drop_remainder=True)

  lanes = tf.data.Dataset.zip(tuple(lane(number) for number in plan.host_lanes))
  dataset = lanes.map(
      as_written(lambda *parts: tf.ensure_shape(tf.concat(parts, 0), [plan.share])))
  repeats = plan.updates_per_pass // (plan.examples // plan.unique)
  if repeats > 1:
    # Neighbouring updates show the same images.
    dataset = dataset.flat_map(lambda x: tf.data.Dataset.from_tensors(x).repeat(repeats))
    dataset = dataset.skip(start % repeats).take(stop - start)
  return dataset


def _ranges(which: Callable[[int], int], start: int, stop: int) -> Iterator[tuple[int, int]]:
  """Cuts which(start), ..., which(stop - 1) into runs (first, one past the last)."""
  updates = np.array([which(k) for k in range(start, stop)])
  cuts = np.flatnonzero(np.diff(updates) != 1) + 1
  for run in np.split(updates, cuts):
    if len(run):
      yield int(run[0]), int(run[-1]) + 1


def fault(records: records_lib.Records, plan: stream_order.StreamPlan, update: int) -> str | None:
  """Names the bad record that kept this host's part of an update from being made, or is None."""
  return records_lib.find_fault(records, np.array(list(dict.fromkeys(plan.near(update).tolist()))))
