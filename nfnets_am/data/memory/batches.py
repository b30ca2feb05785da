"""Batches of views for training, and batches that count every image once for evaluation."""

from collections.abc import Iterator
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import padding
from nfnets_am.data import views
from nfnets_am.data.memory import on_host
from nfnets_am.data.memory import sources

APPLY = ('host', 'device')

# Rows that are drawn for at a time: for a thousand, numpy's calls cost as much as what they do.
_ROWS = 16384


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
  at_a_time = max(_ROWS // plan.rows, 1)
  for first in range(start, stop, at_a_time):
    updates = range(first, min(first + at_a_time, stop))
    drawn = _drawn(split, plan, augmentation, augment_seed, updates)
    for i in range(len(updates)):
      mine = slice(i * plan.rows, (i + 1) * plan.rows)
      yield jax.tree.map(lambda x, mine=mine: x[mine], drawn)


def _drawn(split: sources.Split, plan: views.ViewPlan, augmentation: ops.Augmentation,
           augment_seed: int, updates: range) -> dict[str, Any]:
  """Returns the batches of K updates as one: [K R, ...] each."""
  height, width = split.image.shape[1:3]
  mixes = bool(plan.multiplicity and augmentation.mix)
  together = mixes and not augmentation.policy.one_weight
  of_each = [plan.update(k) for k in updates]
  own = _joined(of_each)
  batch = {'index': own.example, 'example': own.example, 'label': split.label[own.example],
           'draws': {}}
  if plan.multiplicity:
    words = augmentation.words(augment_seed, own, mix=together)
    batch['draws'] = augmentation.draws(augment_seed, own, height, width, words=words)
  if mixes:
    chosen = [augmentation.policy.choose(plan, augment_seed, k, rows)
              for k, rows in zip(updates, of_each, strict=True)]
    partner = _joined([pool.taken(index) for pool, index in chosen])
    weight, drawn = augmentation.mix_draws(
        plan, augment_seed, updates, own, height, width, words)
    batch |= {'partner_example': partner.example, 'partner_label': split.label[partner.example],
              'weight': weight}
    among = plan.hosts == 1 and not augmentation.policy.draws_anew
    batch |= {'partner_row': np.concatenate([index for _, index in chosen])} if among else {
        'partner_index': partner.example,
        'partner_draws': augmentation.partner_draws(augment_seed, partner, height, width)}
    batch['draws'] |= {augmentation.labels[augmentation.mixed_at]: drawn}
  return batch


def _joined(rows: Sequence[views.Rows]) -> views.Rows:
  return views.Rows(*map(np.concatenate, zip(*rows, strict=True)))
