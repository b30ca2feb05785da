"""What the doctor measures and draws: the stages of the streamed input, and its views."""

from collections.abc import Callable
import time
from typing import Any

import jax
import numpy as np

from nfnets_am.data import tensorflow
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
  recipe, records, rows = data.recipe, data.splits['train'], plan.update(0)
  copies = plan.copies
  # Images that are read and decoded for each image of an update, and crops for each row.
  sources = 2 if recipe.fresh else 1

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
  # All of them: part of the cost is the image's.
  drawn = {k: tf.constant(v[:copies]) for k, v in crops.draws(augment_seed, rows).items()}
  cut = tf.function(lambda image: crops.views_of(
      image, drawn, recipe.size, copies * plan.host_group))
  result['crop, resize, flip'] = _each(cut, [(image,)] * 5) / copies * sources
  view = cut(image)[0]
  if not plan.multiplicity:
    return result
  if recipe.mixing:
    draws = recipe.mixing.draws(
        augment_seed, rows, np.arange(plan.rows) // copies, recipe.size, recipe.size)
    mix = tf.function(recipe.mixing.apply, jit_compile=True)
    result['mix'] = _each(mix, [(view, view, row) for row in _rows(tf, draws)])
  if recipe.randaugment:
    draws = recipe.randaugment.draws(augment_seed, rows, recipe.size, recipe.size)
    augment = tf.function(recipe.randaugment.apply, jit_compile=True)
    result['RandAugment'] = _each(augment, [(view, row) for row in _rows(tf, draws)])
  return result


def transfer(batch: dict[str, Any]) -> float:
  """Seconds per view that handing a batch to a device takes."""
  place = lambda: jax.block_until_ready(jax.device_put(batch))
  return _each(place, [()] * 3) / len(batch['label'])


def _rows(tf: Any, draws: dict[str, np.ndarray]) -> list[dict[str, Any]]:
  """The first rows of draws as tensors."""
  return [{k: tf.constant(v[r]) for k, v in draws.items()}
          for r in range(min(_SAMPLE, len(next(iter(draws.values())))))]


def _each(fn: Callable[..., Any], arguments: list[tuple]) -> float:
  """Mean seconds of CPU time of a call, compiled before."""
  fn(*arguments[0])
  start = time.process_time()
  for args in arguments:
    fn(*args)
  return (time.process_time() - start) / len(arguments)
