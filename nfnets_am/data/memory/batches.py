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
  batches = _indexed(split, plan, augmentation, augment_seed, start, stop, rows=apply == 'host')
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
             augment_seed: int, start: int, stop: int, rows: bool) -> Iterator[dict[str, Any]]:
  """Yields batches of numbers.

  Args:
    split, plan, augmentation, augment_seed, start, stop: as of host_batches.
    rows: whether partners that are rows of this host's part may be told by the row's number alone,
      'partner_row' int32 [R].
  """
  height, width = split.image.shape[1:3]
  mixes = bool(plan.multiplicity and augmentation.mix)
  # Then the partners are rows that are drawn for anyway.
  among = mixes and plan.hosts == 1 and not augmentation.policy.draws_anew
  for k in range(start, stop):
    own = plan.update(k)
    batch = {'index': own.example, 'example': own.example, 'label': split.label[own.example],
             'draws': {}}
    if plan.multiplicity:
      batch['draws'] = augmentation.draws(augment_seed, own, height, width)
    if mixes:
      pool, index, weight, drawn = augmentation.partners(
          plan, augment_seed, k, own, height, width)
      partner = pool.example[index]
      batch |= {'partner_example': partner, 'partner_label': split.label[partner],
                'weight': weight, 'partner_draws': augmentation.partner_draws(
                    augment_seed, pool, index, height, width, batch['draws'] if among else None)}
      batch |= {'partner_row': index} if among and rows else {'partner_index': partner}
      batch['draws'] |= {augmentation.labels[augmentation.mixed_at]: drawn}
    yield batch


def _apply_on_host(split: sources.Split, augmentation: ops.Augmentation,
                   batches: Iterator[dict[str, Any]], prefetch: int) -> Iterator[dict[str, Any]]:
  tf = tensorflow.import_tensorflow()
  images, xp, stop = tf.constant(split.image), arrays.tf(), augmentation.at
  to_come = augmentation.labels[stop:]
  # Partners join where `mix` stands, if it is the host's.
  joined = stop if augmentation.mixed_at is None else min(augmentation.mixed_at, stop)

  # Compiled, moving pixels costs a quarter of the CPU time of the fastest TensorFlow op.
  @tf.function(jit_compile=True, autograph=False)
  def alone(image, draws):
    return augmentation.follow(xp, 0, joined, augmentation_lib.Lane(image, draws))[0]

  # Apart from the first, which it would do pixel by pixel once more.
  @tf.function(jit_compile=True, autograph=False)
  def together(image, partner, draws):
    lanes = (augmentation_lib.Lane(x, draws) for x in (image, partner))
    return augmentation.follow(xp, joined, stop, *lanes)[0]

  def lane(batch, prefix):
    draws = {label: drawn for label, drawn in batch[prefix + 'draws'].items()
             if label in augmentation.labels[:joined]}
    return alone(tf.gather(images, batch.pop(prefix + 'index')), draws)

  def apply(batch):
    draws, mixed = batch['draws'], 'weight' in batch
    image = lane(batch, '')
    if mixed:
      partner = (tf.gather(image, batch.pop('partner_row')) if 'partner_row' in batch
                 else lane(batch, 'partner_'))
      if joined < stop:
        image = together(image, partner, {
            label: draws[label] for label in augmentation.labels[joined:stop] if label in draws})
        batch.pop('partner_draws')
      else:
        batch['partner_image'] = partner
    for key in ('draws', 'partner_draws'):
      if key in batch:
        batch[key] = {label: batch[key][label] for label in to_come if label in batch[key]}
    return batch | {'image': image}

  first = next(batches, None)
  if first is None:
    return
  spec = jax.tree.map(lambda x: tf.TensorSpec(x.shape, x.dtype), first)
  dataset = tf.data.Dataset.from_generator(
      lambda: itertools.chain([first], batches), output_signature=spec)
  options = tf.data.Options()
  options.deterministic = True
  dataset = dataset.map(tensorflow.as_written(apply), num_parallel_calls=tf.data.AUTOTUNE)
  dataset = dataset.prefetch(prefetch)
  yield from dataset.with_options(options).as_numpy_iterator()
