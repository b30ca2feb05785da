"""Full results of an experiment without a run: accuracies and losses by a formula."""

import math

from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction


class Reader:
  """Takes a run's numbers from its cell: accuracy rises with n and peaks at a rate and a budget."""

  def read(self, run):
    cell = run.cell
    n = max(1, cell.get('multiplicity', 1))
    epochs, peak = cell.get('epochs', 128), cell.get('peak', 0.0625)
    updates = cell.get('updates', 50 * epochs * n)
    steps = abs(math.log2(peak / 0.0625)) + abs(math.log2(epochs / 256)) / 4
    top1 = 0.7 + 0.01 * math.log2(n) - 0.01 * steps + 0.001 * cell.get('seed', 0)
    derived = {'views': 64, 'updates': updates, 'temperature': peak * n,
               'epochs': updates * 4096 / n / 1_281_167, 'updates_per_epoch': 50.0 * n}
    final = {'test/top1': top1, 'test/ema_top1': top1 + 0.1, 'train/loss': 1 - top1 + steps / 10,
             'minibatch/loss': 1 - top1 + steps / 10, 'init/variance': 1e-4 * n}
    found = outcomes.RunResult(cell, 'finished', '', derived, final)
    # What is not asked of a folder is not read from one.
    found.__dict__['history'] = {key: [(updates // 2, value / 2), (updates, value)]
                                 for key, value in final.items()}
    return found


def results(sweep):
  """Returns the reduced results of a sweep all of whose runs have finished."""
  runs = [experiment_file.Run(cell, '', (), None) for cell in sweep.cells]
  return reduction.reduce(sweep, runs, Reader())
