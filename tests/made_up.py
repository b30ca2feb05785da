"""Results of an experiment from a function of its cells: nothing is trained and nothing is read."""

from nfnets_am.config import cells as cells_lib
from nfnets_am.core import quantities
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from tests import commands

FORT = commands.ROOT / 'experiments' / 'fort2021'
_TRAINING = {'wide_resnet': 50_000}
_TEST = {'wide_resnet': 10_000}
# The images of ImageNet, and of its validation set.
_IMAGES, _TESTED = 1_281_167, 50_000
# Seeds scatter by so much, as the metric is read, in this pattern, whose mean is 0.
_SPREAD = {'%': 0.1, 'nats': 0.01}
_PATTERN = (0, 1, -1, 0.5, -0.5, 0.8, -0.8)


def results(sweep, value):
  """Reduces runs that a function makes up.

  Args:
    sweep: of an experiment.
    value: (cell, metric) -> value as the metric is read, 74.1 of a share; None is a run that
      diverged.
  """
  runs = [experiment_file.Run(cell, cells_lib.cell_name(cell), (), None) for cell in sweep.cells]
  return reduction.reduce(sweep, runs, _Reader(sweep, value))


class _Reader:
  """In the place of outcomes.Reader."""

  def __init__(self, sweep, value):
    self._metrics, self._value = (sweep.metric, *sweep.others), value

  def read(self, run):
    cell, final = run.cell, {}
    for metric in self._metrics:
      found, quantity = self._value(cell, metric), quantities.of(metric)
      if found is None:
        return outcomes.RunResult(cell, 'diverged', derived=derived(cell))
      # What is in no unit scatters by a share of itself.
      spread = _SPREAD.get(quantity.unit, 0.03 * found)
      pattern = _PATTERN[cell.get('seed', 0) % len(_PATTERN)]
      final[metric] = (found + spread * pattern) / quantity.scale
    final['test/images'] = _TEST.get(cell.get('model', 'wide_resnet'), _TESTED)
    return outcomes.RunResult(cell, 'finished', derived=derived(cell), final=final)


def derived(cell):
  """The derived numbers that claims ask for."""
  n = max(1, cell.get('multiplicity', 1))
  images = _TRAINING.get(cell.get('model', 'wide_resnet'), _IMAGES)
  unique = cell.get('unique') or cell.get('views', 4096) / n
  per_epoch = images / unique
  updates = cell['updates'] if 'updates' in cell else round(cell.get('epochs', 1) * per_epoch)
  return {'updates': updates, 'epochs': updates / per_epoch, 'updates_per_epoch': per_epoch,
          'views': round(unique * n), 'temperature': cell.get('peak', 0) * n}


def outcome(results, text):
  """The verdict of the claim that starts with a text, and ends with what stands behind '...'."""
  start, _, end = text.partition('...')
  (claim,) = [claim for claim in results.sweep.claims
              if claim.text.startswith(start) and claim.text.endswith(end)]
  return claim.check(results).outcome
