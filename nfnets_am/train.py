"""Trains one run; the same command again resumes it.

    python -m nfnets_am.train --config=experiments/quickstart.py --workdir=runs/mine \\
        --config.multiplicity=4

On several hosts every host runs this command, with --coordinator=auto on a TPU slice, elsewhere
with --coordinator=HOST:PORT --num_processes=N --process_id=I.

Exit status: 0 finished, 1 an error, 75 stopped by a signal (run it again), 76 diverged.
"""

from absl import flags
from absl import logging
import jax
from ml_collections import config_flags

from nfnets_am import cli
from nfnets_am import loop

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Experiment file, with a cell behind a colon if it has several.')
_WORKDIR = flags.DEFINE_string('workdir', None, "The run's folder.")
_COORDINATOR = flags.DEFINE_string(
    'coordinator', '', "'' is one host; 'auto' asks the TPU slice; else HOST:PORT of process 0.")
_NUM_PROCESSES = flags.DEFINE_integer('num_processes', None, 'With --coordinator=HOST:PORT.')
_PROCESS_ID = flags.DEFINE_integer('process_id', None, 'With --coordinator=HOST:PORT.')
_EXIT = {'finished': 0, 'stopped': cli.EXIT_STOPPED, 'diverged': cli.EXIT_DIVERGED}


def main() -> int:
  if _COORDINATOR.value == 'auto':
    jax.distributed.initialize()
  elif _COORDINATOR.value:
    jax.distributed.initialize(_COORDINATOR.value, _NUM_PROCESSES.value, _PROCESS_ID.value)
  status = loop.train(_CONFIG.value, _WORKDIR.value)
  logging.info('%s: %s at update %s of %s%s', _WORKDIR.value, status['status'], status['update'],
               status['updates'], f' ({status["reason"]})' if 'reason' in status else '')
  return _EXIT[status['status']]


if __name__ == '__main__':
  flags.mark_flags_as_required(['config', 'workdir'])
  cli.run(main)
