"""Batches of views for training, and batches that count every image once for evaluation."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import padding
from nfnets_am.data import views
from nfnets_am.data.memory import on_host
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
    apply: 'host' applies the ops before `normalise` here, in TensorFlow; 'device' leaves all to the
      step (preparation.py) and needs no TensorFlow.
    prefetch: updates made ahead of their use (host only: for the device there is little to make).

  Yields:
    'label' and 'example' int32 [R], 'draws' label -> name -> [R, ...] of the ops still to come, and
    host: 'image' uint8 [R, H, W, C];
    device: 'index' int32 [R], the rows of the split.
    Mixed rows also have 'partner_label' and 'partner_example' int32 [R], 'weight' float32 [R], the
    share of the row's own label, and, where they are still to be mixed, 'partner_draws' and
    'partner_image' or 'partner_index', or 'partner_row' int32 [R] alone, if the partner is drawn
    for as a row of this batch. Images of the host pipeline are read-only.

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
  return on_host.apply(split.image, augmentation, batches, prefetch)


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
  """Yields batches of numbers, of the arguments of host_batches; partners see there."""
  height, width = split.image.shape[1:3]
  mixes = bool(plan.multiplicity and augmentation.mix)
  among = mixes and plan.hosts == 1 and not augmentation.policy.draws_anew
  together = mixes and not augmentation.policy.one_weight
  for k in range(start, stop):
    own = plan.update(k)
    batch = {'index': own.example, 'example': own.example, 'label': split.label[own.example],
             'draws': {}}
    if plan.multiplicity:
      words = augmentation.words(augment_seed, own, mix=together)
      batch['draws'] = augmentation.draws(augment_seed, own, height, width, words=words)
    if mixes:
      pool, index, weight, drawn = augmentation.partners(
          plan, augment_seed, k, own, height, width, words)
      partner = pool.example[index]
      batch |= {'partner_example': partner, 'partner_label': split.label[partner],
                'weight': weight}
      batch |= {'partner_row': index} if among else {
          'partner_index': partner,
          'partner_draws': augmentation.partner_draws(augment_seed, pool, index, height, width)}
      batch['draws'] |= {augmentation.labels[augmentation.mixed_at]: drawn}
    yield batch
