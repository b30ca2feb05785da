"""Batches of views for training, and batches that count every image once for evaluation."""

from collections.abc import Iterator
import itertools
from typing import Any

import jax
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import padding
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.memory import sources
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation as augmentation_lib

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
    apply: 'host' applies the ops before `normalise` here, in TensorFlow; 'device' leaves all to the
      step (preparation.py) and needs no TensorFlow.
    prefetch: updates made ahead of their use (host only: for the device there is little to make).

  Yields:
    'label' and 'example' int32 [R], 'draws' label -> name -> [R, ...] of the ops still to come, and
    host: 'image' uint8 [R, H, W, C];
    device: 'index' int32 [R], the rows of the split.
    Mixed rows also have 'partner_label' and 'partner_example' int32 [R], 'weight' float32 [R], the
    share of the row's own label, and, where they are still to be mixed, 'partner_draws' and
    'partner_image' or 'partner_index'. Arrays of the host pipeline are read-only.

  Raises:
    errors.ConfigError: the split and the plan disagree, an op does not fit the image size, or rows
      lack partners.
    errors.UserError: TensorFlow is needed and missing.
  """
  if apply not in APPLY:
    raise errors.ConfigError(f'data.apply is {apply!r}; allowed: {", ".join(APPLY)}')
  if plan.examples != len(split.label):
    raise errors.ConfigError(
        f'the plan is for {plan.examples} images, but the split has {len(split.label)}')
  augmentation.check(*split.image.shape[1:3])
  batches = _indexed(split, plan, augmentation, augment_seed, start, stop)
  if apply == 'device':
    return batches
  return _apply_on_host(split, augmentation, batches, prefetch)


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
  for first in padding.starts(len(split.label), batch, host, hosts):
    part = slice(first, first + batch)
    yield padding.fill({'image': split.image[part], 'label': split.label[part]}, batch)


def _indexed(split: sources.Split, plan: views.ViewPlan, augmentation: ops.Augmentation,
             augment_seed: int, start: int, stop: int) -> Iterator[dict[str, Any]]:
  height, width = split.image.shape[1:3]
  for k in range(start, stop):
    rows = plan.update(k)
    batch = {'index': rows.example, 'example': rows.example, 'label': split.label[rows.example],
             'draws': {}}
    if plan.multiplicity:
      batch['draws'] = augmentation.draws(augment_seed, rows, height, width)
    if plan.multiplicity and augmentation.mix:
      pool, index, weight, drawn = augmentation.partners(
          plan, augment_seed, k, rows, height, width)
      partner = pool.example[index]
      batch['draws'] |= {augmentation.labels[augmentation.mixed_at]: drawn}
      batch |= {'partner_index': partner, 'partner_example': partner, 'weight': weight,
                'partner_label': split.label[partner],
                'partner_draws': augmentation.partner_draws(
                    augment_seed, pool, index, height, width)}
    yield batch


def _apply_on_host(split: sources.Split, augmentation: ops.Augmentation,
                   batches: Iterator[dict[str, Any]], prefetch: int) -> Iterator[dict[str, Any]]:
  tf = tensorflow.import_tensorflow()
  images, xp = tf.constant(split.image), arrays.tf()
  here, to_come = augmentation.labels[:augmentation.at], augmentation.labels[augmentation.at:]

  # Compiled, moving pixels costs a quarter of the CPU time of the fastest TensorFlow op.
  @tf.function(jit_compile=True)
  def follow(lanes):
    return augmentation.follow(
        xp, 0, augmentation.at, *(augmentation_lib.Lane(*lane) for lane in lanes))

  def apply(batch):
    lanes = []
    for prefix in ('', 'partner_'):
      if prefix + 'index' in batch:
        draws = batch[prefix + 'draws']
        lanes.append((tf.gather(images, batch.pop(prefix + 'index')),
                      {label: draws[label] for label in here if label in draws}))
        batch[prefix + 'draws'] = {label: draws[label] for label in to_come if label in draws}
    batch['image'], partner = follow(lanes)
    if partner is None:
      batch.pop('partner_draws', None)
    else:
      batch['partner_image'] = partner
    return batch

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
