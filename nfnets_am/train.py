"""Trains one run; the same command again resumes it.

    python -m nfnets_am.train --config=experiments/quickstart.py --workdir=runs/mine \\
        --config.multiplicity=4

Exit status: 0 finished, 1 an error, 75 stopped by a signal (run it again), 76 diverged.
"""

from absl import flags
from absl import logging
from ml_collections import config_flags

from nfnets_am import cli
from nfnets_am import loop

_CONFIG = config_flags.DEFINE_config_file(
    'config', None, 'Experiment file, with a cell behind a colon if it has several.')
_WORKDIR = flags.DEFINE_string('workdir', None, "The run's folder.")
_EXIT = {'finished': 0, 'stopped': cli.EXIT_STOPPED, 'diverged': cli.EXIT_DIVERGED}


def main() -> int:
  status = loop.train(_CONFIG.value, _WORKDIR.value)
  logging.info('%s: %s at update %s of %s%s', _WORKDIR.value, status['status'], status['update'],
               status['updates'], f' ({status["reason"]})' if 'reason' in status else '')
  return _EXIT[status['status']]


if __name__ == '__main__':
  flags.mark_flags_as_required(['config', 'workdir'])
  cli.run(main)
