"""From a run's input to its devices: the batches of updates, placed a few ahead of the step."""

import collections
from collections.abc import Iterator
from typing import Any

import jax

from nfnets_am.core import parallel
from nfnets_am.training import run as run_lib

# Batches placed on the devices ahead of the step that takes them.
_PREFETCH = 2


def placed_batches(run: run_lib.Run, start: int) -> Iterator[Any]:
  """Yields the batches of the updates after `start`, on the devices a few ahead of the step."""
  batches = run.dataset.train_batches(
      run.plan, run.seeds['augment'], start, run.derived.updates)
  placed: collections.deque = collections.deque()
  pack = run.experiment.hand_over.pack
  for batch in batches:
    placed.append(parallel.shard(pack(batch, jax.local_device_count()), run.backend))
    if len(placed) > _PREFETCH:
      yield placed.popleft()
  yield from placed


def place_pool(run: run_lib.Run) -> Any:
  """Returns the training images on every device, if views are drawn there, else None."""
  pool = run.dataset.pool
  return None if pool is None else parallel.replicate(pool)
