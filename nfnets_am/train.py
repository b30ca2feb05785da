"""Trains one run; the same command again resumes it.

    python -m nfnets_am.train --config=experiments/quickstart.py --workdir=runs/mine \\
        --config.multiplicity=4

On several hosts every host runs this command, with --coordinator=auto on a TPU slice, elsewhere
with --coordinator=HOST:PORT --num_processes=N --process_id=I.

Exit status: 0 finished, 1 an error, 75 stopped by a signal or by the loss of another host (run it
again), 76 diverged.
"""

import os
import sys

from absl import flags
from absl import logging
import jax
from ml_collections import config_flags

from nfnets_am.core import cli
from nfnets_am.core import compilation_cache
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import loop

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Experiment file, with a cell behind a colon if it has several.')
_WORKDIR = flags.DEFINE_string('workdir', None, "The run's folder.")
_COORDINATOR = flags.DEFINE_string(
    'coordinator', '', "'' is one host; 'auto' asks the TPU slice; else HOST:PORT of process 0.")
_NUM_PROCESSES = flags.DEFINE_integer('num_processes', None, 'With --coordinator=HOST:PORT.')
_PROCESS_ID = flags.DEFINE_integer('process_id', None, 'With --coordinator=HOST:PORT.')
# A host that says nothing for so long is gone, and the others end.
_HEARTBEAT_S = 60
_EXIT = {'finished': 0, 'stopped': cli.EXIT_STOPPED, 'diverged': cli.EXIT_DIVERGED}


def main() -> int:
  compilation_cache.enable()
  times = {'heartbeat_timeout_seconds': _HEARTBEAT_S, 'shutdown_timeout_seconds': _HEARTBEAT_S}
  if _COORDINATOR.value == 'auto':
    jax.distributed.initialize(**times)
  elif _COORDINATOR.value:
    jax.distributed.initialize(
        _COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value, **times)
  try:
    status = loop.train(_CONFIG.value, _WORKDIR.value)
  except errors.LostHostError as e:
    print(f'error: {e}', file=sys.stderr, flush=True)
    # An orderly end would wait for the host that is gone.
    os._exit(cli.EXIT_STOPPED)
  logging.info('%s: %s at update %s of %s%s', _WORKDIR.value, status['status'], status['update'],
               status['updates'], f' ({status["reason"]})' if 'reason' in status else '')
  return _EXIT[status['status']]


if __name__ == '__main__':
  flags.mark_flags_as_required(['config', 'workdir'])
  cli.run(main, check=experiment_file.check_overrides)
