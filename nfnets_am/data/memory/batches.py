"""Batches of views for training, and batches that count every image once for evaluation."""

from collections.abc import Iterator
import itertools
from typing import Any

import jax
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.memory import sources

APPLY = ('host', 'device')


def host_batches(split: sources.Split, plan: views.ViewPlan, augmentation: ops.Augmentation,
                 augment_seed: int, start: int, stop: int, *, apply: str = 'host',
                 prefetch: int = 4) -> Iterator[dict[str, Any]]:
  """Yields this host's part of updates start .. stop - 1, in order, replaying nothing.

  Args:
    split: the images; plan.examples of them.
    plan: which rows each update holds; multiplicity 0 means raw images without draws.
    augmentation: the ops.
    augment_seed: in [0, 2**32).
    start: first update.
    stop: one past the last update.
    apply: 'host' makes the pixels here, in TensorFlow; 'device' leaves that to `apply_on_device`
      and needs no TensorFlow.
    prefetch: updates made ahead of their use (host only: for the device there is little to make).

  Yields:
    'label' and 'example' int32 [R], 'draws' label -> name -> int32 [R], and
    host: 'image' uint8 [R, H, W, C]; the draws are those of the ops after `normalise`;
    device: 'index' int32 [R], the rows of the split; the draws are those of all ops.
    Arrays of the host pipeline are read-only.

  Raises:
    errors.ConfigError: the split and the plan disagree, or an op does not fit the image size.
    errors.UserError: TensorFlow is needed and missing.
  """
  if apply not in APPLY:
    raise errors.ConfigError(f'data.apply is {apply!r}; allowed: {", ".join(APPLY)}')
  if plan.examples != len(split.label):
    raise errors.ConfigError(
        f'the plan is for {plan.examples} images, but the split has {len(split.label)}')
  augmentation.check(*split.image.shape[1:3])
  batches = _device_batches(split, plan, augmentation, augment_seed, start, stop)
  if apply == 'device':
    return batches
  return _apply_on_host(split, augmentation, batches, prefetch)


def apply_on_device(augmentation: ops.Augmentation, images: jax.Array, batch: dict[str, Any]
                    ) -> dict[str, Any]:
  """Makes the pixels of a batch of `host_batches(..., apply='device')`; a pure JAX function.

  Args:
    augmentation: the one that made the draws.
    images: uint8 [N, H, W, C], the whole split, in the device's memory.
    batch: arrays [R, ...] of one device.

  Returns:
    The batch with 'image' uint8 [R, H, W, C] in place of 'index', ready for `finish`.
  """
  batch = dict(batch)
  image = augmentation.apply_device(images, batch['draws'], batch.pop('index'))
  draws = {label: batch['draws'][label] for label in augmentation.float_ops if batch['draws']}
  return batch | {'image': image, 'draws': draws}


def eval_batches(split: sources.Split, batch: int, *, host: int = 0, hosts: int = 1
                 ) -> Iterator[dict[str, np.ndarray]]:
  """Yields raw images; over all hosts each counts exactly once.

  Args:
    split: the images.
    batch: R, rows per batch and host.
    host: this host's number.
    hosts: how many there are; each gets the same number of batches.

  Yields:
    'image' uint8 [R, H, W, C], 'label' int32 [R] and 'mask' float32 [R]: 1 for an image, 0 for a
    row that only fills the batch.
  """
  total = len(split.label)
  for first in range(host * batch, -(-total // (batch * hosts)) * batch * hosts, batch * hosts):
    part = slice(first, first + batch)
    padding = batch - len(split.label[part])
    fill = lambda x, padding=padding: np.pad(x, [(0, padding)] + [(0, 0)] * (x.ndim - 1))
    yield {'image': fill(split.image[part]), 'label': fill(split.label[part]),
           'mask': fill(np.ones(batch - padding, np.float32))}


def _device_batches(split: sources.Split, plan: views.ViewPlan, augmentation: ops.Augmentation,
                    augment_seed: int, start: int, stop: int) -> Iterator[dict[str, Any]]:
  height, width = split.image.shape[1:3]
  for k in range(start, stop):
    rows = plan.update(k)
    draws = augmentation.draws(augment_seed, rows, height, width) if plan.multiplicity else {}
    yield {'index': rows.example, 'example': rows.example, 'label': split.label[rows.example],
           'draws': draws}


def _apply_on_host(split: sources.Split, augmentation: ops.Augmentation,
                   batches: Iterator[dict[str, Any]], prefetch: int) -> Iterator[dict[str, Any]]:
  tf = tensorflow.import_tensorflow()
  images = tf.constant(split.image)
  # Compiled, moving pixels costs a quarter of the CPU time of the fastest TensorFlow op.
  apply_host = tf.function(augmentation.apply_host, jit_compile=True)

  def apply(batch):
    image = tf.gather(images, batch.pop('index'))
    draws = batch['draws']
    return batch | {
        'image': apply_host(image, {k: draws[k] for k in augmentation.pixel_ops if draws}),
        'draws': {label: draws[label] for label in augmentation.float_ops if draws}}

  first = next(batches, None)
  if first is None:
    return
  spec = jax.tree.map(lambda x: tf.TensorSpec(x.shape, x.dtype), first)
  dataset = tf.data.Dataset.from_generator(
      lambda: itertools.chain([first], batches), output_signature=spec)
  options = tf.data.Options()
  options.deterministic = True
  dataset = dataset.map(apply, num_parallel_calls=tf.data.AUTOTUNE).prefetch(prefetch)
  yield from dataset.with_options(options).as_numpy_iterator()
