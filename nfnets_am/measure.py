"""Measures one cell of an experiment that is not trained; again, it does nothing twice.

    python -m nfnets_am.measure --config=experiments/fort2021/figure9.py:scheme=growing \\
        --workdir=runs/mine

The key `measure` of the config says what. `launch.sweep` runs it for every cell of such an
experiment, and `nfnets_am.report` reads the folders like those of any runs.
"""

from absl import flags
from absl import logging

from nfnets_am import analysis
from nfnets_am.analysis import measures
from nfnets_am.core import cli
from nfnets_am.core import compilation_cache
from nfnets_am.core import distributed
from nfnets_am.sweeps import config_flag

_CONFIG = config_flag.ConfigFlag()
_WORKDIR = flags.DEFINE_string('workdir', None, "The cell's folder.")


def main() -> int:
  compilation_cache.enable()
  distributed.initialize()
  status = measures.measure(_CONFIG.value, _WORKDIR.value, analysis.MEASURES)
  logging.info('%s: %s', _WORKDIR.value, status['status'])
  return cli.EXIT_STOPPED if status['status'] == 'stopped' else 0


if __name__ == '__main__':
  flags.mark_flags_as_required(['config', 'workdir'])
  cli.run(main, take=_CONFIG.take)
