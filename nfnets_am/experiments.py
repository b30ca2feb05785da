"""Lists the experiments: what each trains, how much there is to compute, and how far it is.

    python -m nfnets_am.experiments
    python -m nfnets_am.experiments --folder=experiments/fort2021 --workdir=runs/fort2021

Runs that several experiments share count in each of them, and once in the last row. Learning rates
that tuning has yet to add are not counted. A folder that holds a run of another config, as after a
default has changed, is named 'other config'. What networks cost is kept in --cache.
"""

import os

from absl import flags

from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import rows as rows_lib
from nfnets_am.core import terminal
from nfnets_am.costs import kept
from nfnets_am.costs import workload
from nfnets_am.sweeps import catalogue
from nfnets_am.sweeps import outcomes

_FOLDER = flags.DEFINE_string('folder', 'experiments', 'Experiment files, also in folders of it.')
_WORKDIR = flags.DEFINE_string('workdir', '', 'A folder of runs, to say how far they are.')
_SCALE = flags.DEFINE_string('scale', '', "A scale that the files know, such as 'smoke'.")
_CACHE = flags.DEFINE_string(
    'cache', '~/.cache/nfnets_am/counted', "Folder of what was counted before; '' keeps nothing.")
# Of the columns; numbers stand on the right.
_COLUMNS = {'experiment': 24, 'model': 22, 'data': 24, 'runs': -6, 'views': -9,
            'training FLOPs': -14}


def main() -> None:
  kept.enable(_CACHE.value)
  paths = catalogue.find(_FOLDER.value)
  rows = rows_lib.Rows(
      terminal.Terminal(), _COLUMNS | ({'state': 24} if _WORKDIR.value else {}))
  reader = outcomes.Reader(_WORKDIR.value) if _WORKDIR.value else None
  together: dict[str, workload.Workload | None] = {}
  states: dict[str, str] = {}
  err = terminal.Terminal(stderr=True)
  skipped = []
  for path in paths:
    try:
      entry = catalogue.read(path, _SCALE.value, reader)
    except (errors.ConfigError, TypeError) as e:
      skipped.append(f'{path}: {e}')
      continue
    together |= entry.runs
    states |= entry.states
    rows.add(catalogue.row_of(os.path.relpath(path, _FOLDER.value), entry.models,
                              entry.datasets, entry.runs, entry.states))
  rows.line()
  rows.add(catalogue.row_of('each run once', (), (), together, states))
  for reason in skipped:
    err.print(f'not listed: {reason}', soft_wrap=True)


if __name__ == '__main__':
  cli.run(main)
