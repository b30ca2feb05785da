"""Trains one run; the same command again resumes it.

    python -m nfnets_am.train --config=experiments/quickstart.py --workdir=runs/mine \\
        --config.multiplicity=4
    python -m nfnets_am.train --config=experiments/quickstart.py --print

The second shows the recipe: every key of the config, with its value.
On several hosts every host runs this command, with --coordinator=auto on a TPU slice and in Slurm,
elsewhere with --coordinator=HOST:PORT --num_processes=N --process_id=I.

Exit status: 0 finished, 1 an error, 75 stopped by a signal or by the loss of another host (run it
again), 76 diverged.
"""

import os
import sys

from absl import flags
from absl import logging

from nfnets_am.config import identity
from nfnets_am.core import cli
from nfnets_am.core import compilation_cache
from nfnets_am.core import distributed
from nfnets_am.core import errors
from nfnets_am.core import kernels
from nfnets_am.core import terminal
from nfnets_am.sweeps import config_flag
from nfnets_am.training import loop
from nfnets_am.training import warm as warm_lib

_CONFIG = config_flag.ConfigFlag()
# Takes what are no flags of absl's out of the arguments; see cli.run.
take = _CONFIG.take
_WORKDIR = flags.DEFINE_string('workdir', None, "The run's folder.")
_UNTIL = flags.DEFINE_string(
    'until', '', "A duration, '5 epochs', after which the run is saved and left; '' is its end.")
_PRINT = flags.DEFINE_bool('print', False, 'Print every key of the config, and train nothing.')
_EXIT = {'finished': 0, 'stopped': cli.EXIT_STOPPED, 'diverged': cli.EXIT_DIVERGED}


def main(warm: warm_lib.Warm | None = None) -> int:
  """Trains the run that the flags say.

  Args:
    warm: what the runs of this process hand on, if there are several.

  Returns:
    The exit status.
  """
  config = _CONFIG.value
  # XLA reads its flags when its backend starts.
  kernels.choose(config.kernels)
  compilation_cache.enable()
  distributed.initialize()
  if _PRINT.value:
    for key, value in identity.flatten(config):
      print(f'{key} = {value!r}')
    return 0
  if _WORKDIR.value is None:
    raise errors.UserError('--workdir=DIR is missing')
  kernels.check(config.kernels)
  try:
    status = loop.train(config, _WORKDIR.value, until=_UNTIL.value, warm=warm)
  except errors.LostHostError as e:
    print(terminal.clean(f'error: {e}'), file=sys.stderr, flush=True)
    # An orderly end would wait for the host that is gone.
    os._exit(cli.EXIT_STOPPED)
  logging.info('%s: %s at update %s of %s%s', _WORKDIR.value, status['status'], status['update'],
               status['updates'], f' ({status["reason"]})' if 'reason' in status else '')
  return _EXIT[status['status']]


if __name__ == '__main__':
  cli.run(main, take=take)
