"""What the doctor measures and draws: the stages of the streamed input, and its views."""

from collections.abc import Callable
import time
from typing import Any

import jax
import numpy as np

from nfnets_am.data import tensorflow
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import input as stream
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records as records_lib
from nfnets_am.data.stream import visits

_SAMPLE = 16


def stages(data: stream.StreamInput, plan: stream_order.StreamPlan, augment_seed: int
           ) -> dict[str, float]:
  """Times each stage alone on the first images, in seconds of CPU time per view of an update.

  Args:
    data: the input.
    plan: of it.
    augment_seed: in [0, 2**32).

  Returns:
    Stage -> seconds. Each includes the 0.1 ms that calling TensorFlow from Python takes.
  """
  tf = tensorflow.import_tensorflow()
  way, records, rows = data.augmentation, data.splits['train'], plan.update(0)
  size = way.crop
  copies = plan.copies
  # Images that are read and decoded for each image of an update, and crops for each row.
  sources = 2 if way.mix and plan.multiplicity and way.mix.partners == 'fresh' else 1

  iterator = visits.visits(records, plan, 0, 1).as_numpy_iterator()
  reading = time.process_time()
  serialized = next(iterator)
  block = min(plan.block * len(plan.host_lanes), len(plan.order(0)) // plan.reading_hosts)
  result = {'read': (time.process_time() - reading) / block * sources / copies}

  sample = serialized[:_SAMPLE]
  # Which opens a file, if each image has its own.
  parse = tf.function(records.parse)
  result['read'] += _each(parse, [(tf.constant(x),) for x in sample]) * sources / copies
  encoded = [records.parse(x)[0] for x in sample]
  decode = tf.function(records_lib.decode)
  result['decode'] = _each(decode, [(x,) for x in encoded]) * sources / copies
  image = decode(encoded[0])
  drawn = way.draws(augment_seed, rows, size, size)
  # All of them: part of the cost is the image's.
  crop, *flip = way.labels[:way.read]
  flipped = drawn[flip[0]]['flip'] if flip else np.zeros(plan.rows, np.int32)
  boxes = {k: tf.constant(v[:copies]) for k, v in {**drawn[crop], 'flip': flipped}.items()}
  cut = tf.function(lambda image: crops.views_of(image, boxes, size, copies * plan.host_group))
  result['crop, resize, flip'] = _each(cut, [(image,)] * 5) / copies * sources
  view = cut(image)[:1]
  for label in way.labels[way.read:data.preparation.start] if plan.multiplicity else ():
    op = way.ops[label]
    if op is way.mix:
      _, _, _, of_op = way.partners(plan, augment_seed, 0, rows, size, size)
      apply = lambda view, row, op=op: op.mix(arrays.tf(), view, view, row)
    else:
      of_op = drawn[label]
      apply = lambda view, row, op=op: op.apply(arrays.tf(), view, row)
    apply = tf.function(apply, jit_compile=True)
    result[label] = _each(apply, [(view, row) for row in _rows(tf, of_op)])
  return result


def transfer(batch: dict[str, Any]) -> float:
  """Seconds per view that handing a batch to a device takes."""
  place = lambda: jax.block_until_ready(jax.device_put(batch))
  return _each(place, [()] * 3) / len(batch['example'])


def _rows(tf: Any, draws: Any) -> list[Any]:
  """The first rows of draws as tensors [1, ...]."""
  rows = min(_SAMPLE, len(jax.tree.leaves(draws)[0]))
  return [jax.tree.map(lambda x, r=r: tf.constant(x[r:r + 1]), draws) for r in range(rows)]


def _each(fn: Callable[..., Any], arguments: list[tuple]) -> float:
  """Mean seconds of CPU time of a call, compiled before."""
  fn(*arguments[0])
  start = time.process_time()
  for args in arguments:
    fn(*args)
  return (time.process_time() - start) / len(arguments)
