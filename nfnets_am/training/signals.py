"""Stopping on a signal: the update in hand is finished and saved, then the process leaves."""

import os
import signal

import jax
from jax.experimental import multihost_utils


class StopSignal:
  """Watches for SIGTERM and SIGINT from `with` on.

  With several hosts jax's own notifier takes SIGTERM, and the hosts agree on the update to stop at;
  alone, a handler notes the signal.
  """

  def __init__(self):
    self._seen = False
    self._before = {}

  def __enter__(self) -> 'StopSignal':
    kinds = [signal.SIGINT] if jax.process_count() > 1 else [signal.SIGINT, signal.SIGTERM]
    for kind in kinds:
      self._before[kind] = signal.signal(kind, self._note)
    return self

  def __exit__(self, *_) -> None:
    for kind, handler in self._before.items():
      signal.signal(kind, handler)

  def _note(self, kind: int, frame) -> None:
    del frame
    self._seen = True
    if jax.process_count() > 1:
      # Ctrl-C on one host, told to all in the way of SIGTERM.
      os.kill(os.getpid(), signal.SIGTERM)
    if kind == signal.SIGINT:
      # A second one ends the process at once, as a user who presses it again expects. SIGTERM comes
      # from services, which repeat it: Slurm sends two at once, to a step and through its srun.
      signal.signal(kind, self._before[kind])

  def requested(self, update: int) -> bool:
    """Whether to stop after `update`; every host asks at every update and gets the same answer."""
    if jax.process_count() > 1:
      return multihost_utils.reached_preemption_sync_point(update)
    return self._seen
