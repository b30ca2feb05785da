"""Results of a table without a run: accuracies that a test says."""

import dataclasses

from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction


def results(sweep, accuracies, images=0):
  """Returns results whose cells have these runs.

  Args:
    sweep: of a table.
    accuracies: method -> of each run, in percent.
    images: that each was tested on; 0 does not say it.
  """
  cells = []
  for method in dict.fromkeys(cell['method'] for cell in sweep.cells):
    values = [x / 100 for x in accuracies.get(method, ())]
    runs = tuple(
        outcomes.RunResult({'method': method, 'seed': seed}, 'finished', '', {},
                           {'test/top1': value}) for seed, value in enumerate(values))
    runs = runs or (outcomes.RunResult({'method': method, 'seed': 0}, 'missing', '', {}, {}),)
    summary = dataclasses.replace(
        reduction.summarise(values, 'test/top1'), examples=images) if values else None
    cells.append(reduction.Cell(
        {'method': method}, runs, {'test/top1': summary} if summary else {},
        {'test/top1': summary.mean} if summary else {}))
  return reduction.Results(sweep, tuple(cells))
