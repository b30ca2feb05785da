"""From a run's input to its devices: the batches of updates, placed a few ahead of the step."""

import collections
from collections.abc import Iterator
import dataclasses
import itertools
from typing import Any

import jax

from nfnets_am.core import parallel
from nfnets_am.training import run as run_lib

# Batches placed on the devices ahead of the step that takes them.
_PREFETCH = 2


def placed_batches(run: run_lib.Run, start: int) -> Iterator[Any]:
  """Yields the batches of the updates after `start`, on the devices a few ahead of the step."""
  placed: collections.deque = collections.deque()
  pack = run.dataset.preparation.pack
  for batch in host_batches(run, start, run.derived.updates):
    placed.append(parallel.shard(pack(batch, jax.local_device_count()), run.backend))
    if len(placed) > _PREFETCH:
      yield placed.popleft()
  yield from placed


def host_batches(run: run_lib.Run, start: int, stop: int) -> Iterator[Any]:
  """Yields this host's batches of updates start .. stop - 1, each with the seeds of its pass."""
  seeds, plan = run.seeds, run.plan
  cut = min(max(seeds.again_from * plan.updates_per_pass, start), stop) if seeds.again else stop
  parts = []
  for first, last, epoch in ((start, cut, -1), (cut, stop, seeds.again_from)):
    if first < last:
      ordered = dataclasses.replace(plan, shuffle_seed=seeds.at('shuffle', epoch))
      parts.append((ordered, seeds.at('augment', epoch), first, last))
  return itertools.chain.from_iterable(run.dataset.train_batches(*part) for part in parts)


def place_pool(run: run_lib.Run) -> Any:
  """Returns the training images on every device, if views are drawn there, else None."""
  pool = run.dataset.pool
  return None if pool is None else parallel.replicate(pool)
