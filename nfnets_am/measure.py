"""Measures one cell of an experiment that is not trained, or runs that are finished.

    python -m nfnets_am.measure --config=experiments/fort2021/figure9.py:scheme=growing \\
        --workdir=runs/mine
    python -m nfnets_am.measure agreement --runs='runs/mine/*'

The first does nothing twice: the key `measure` of the config says what, `launch.sweep` runs it for
every cell of such an experiment, and `nfnets_am.report` reads the folders like those of any runs.

The second reads what runs have kept of their predictions (evals.NAME.keep=True), and prints a
table; --out keeps all numbers. A measure with arguments is a call, "agreement(ensembles=(2, 3))".
"""

from absl import flags
from absl import logging
from etils import epath

from nfnets_am import analysis
from nfnets_am.analysis import display
from nfnets_am.analysis import measures
from nfnets_am.analysis import of_runs
from nfnets_am.core import cli
from nfnets_am.core import compilation_cache
from nfnets_am.core import distributed
from nfnets_am.core import errors
from nfnets_am.core import kernels
from nfnets_am.sweeps import config_flag

_CONFIG = config_flag.ConfigFlag()
_WORKDIR = flags.DEFINE_string('workdir', None, "With --config: the cell's folder.")
_RUNS = flags.DEFINE_multi_string(
    'runs', [], "Folders of finished runs, or a pattern of them such as 'runs/mine/*'; repeatable.")
_OUT = flags.DEFINE_string('out', None, 'With --runs: a JSON file for all numbers.')
# What stands in front of the flags.
_CALLED: list[str] = []


def main() -> int:
  if _CALLED:
    _of_runs(_CALLED[0])
    return 0
  for flag in (_RUNS, _OUT):
    if flag.value:
      raise errors.UserError(f'--{flag.name} goes with a measure of runs, such as: '
                             "python -m nfnets_am.measure agreement --runs='runs/mine/*'")
  config = _CONFIG.value
  if _WORKDIR.value is None:
    raise errors.UserError("--workdir=DIR is missing; allowed: the cell's folder")
  # XLA reads its flags when its backend starts.
  kernels.choose(config.kernels)
  compilation_cache.enable()
  distributed.initialize()
  kernels.check(config.kernels)
  status = measures.measure(config, _WORKDIR.value, analysis.MEASURES)
  logging.info('%s: %s', _WORKDIR.value, status['status'])
  return cli.EXIT_STOPPED if status['status'] == 'stopped' else 0


def _of_runs(text: str) -> None:
  if _WORKDIR.value is not None:
    raise errors.UserError('--workdir goes with --config; a measure of runs takes --runs and --out')
  lines, files = of_runs.of_runs(text, _RUNS.value, analysis.MEASURES)
  display.show(text, lines)
  if _OUT.value is not None:
    of_runs.write_json(epath.Path(_OUT.value), {'lines': lines, **files})


def _take(argv: list[str]) -> list[str]:
  """Takes the measure of runs in front of the flags, then what the config takes."""
  if len(argv) > 1 and not argv[1].startswith('-'):
    _CALLED.append(argv[1])
    argv = [argv[0], *argv[2:]]
  return _CONFIG.take(argv)


if __name__ == '__main__':
  cli.run(main, take=_take)
