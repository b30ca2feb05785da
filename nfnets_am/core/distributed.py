"""The hosts of a run find each other: flags of the commands that several hosts run together."""

from absl import flags
import jax

_COORDINATOR = flags.DEFINE_string(
    'coordinator', '',
    "'' is one host; 'auto' asks the TPU slice or Slurm; else HOST:PORT of process 0.")
_NUM_PROCESSES = flags.DEFINE_integer('num_processes', None, 'With --coordinator=HOST:PORT.')
_PROCESS_ID = flags.DEFINE_integer('process_id', None, 'With --coordinator=HOST:PORT.')
# A host that says nothing for so long is gone, and the others end.
_HEARTBEAT_S = 60


def initialize() -> None:
  """Waits for the other hosts, if the flags name any; before anything else of JAX."""
  times = {'heartbeat_timeout_seconds': _HEARTBEAT_S, 'shutdown_timeout_seconds': _HEARTBEAT_S}
  if _COORDINATOR.value == 'auto':
    jax.distributed.initialize(**times)
  elif _COORDINATOR.value:
    jax.distributed.initialize(
        _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value, **times)
