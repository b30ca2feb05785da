"""How far apart a network's logits lie (Summers 2021, figures 3.1 and 3.2)."""

from etils import epath
import numpy as np

from nfnets_am.analysis import measures
from nfnets_am.evaluation import predictions
from nfnets_am.training import run as run_lib

# What a cell's folder calls its numbers: 'logits/variance'.
NAME = 'logits'
# A share of the logits on each side that a range leaves out.
_TAIL = 0.001


def logits(*, run: str, evaluation: str = 'test') -> measures.Measure:
  """'logits/variance' and 'logits/range' of what a finished run has kept.

  Args:
    run: its folder, beside that of the cell or anywhere.
    evaluation: of the run, which has `keep`: 'test', or one under an attack.

  Raises:
    UserError: the folder holds no finished run, or no predictions of the evaluation.
  """
  def measure(cell: run_lib.Run | None, folder: epath.Path) -> measures.Found:
    del cell
    path = folder.parent / run
    measures.finished('run', path)
    found = predictions.read(path / 'predictions' / f'{evaluation}.npz', ('logits',))['logits']
    return {NAME: {'images': len(found), 'variance': variance(found), 'range': spread(found)}}, {}

  return measure


def variance(values: np.ndarray) -> float:
  """Returns the variance of all logits [N, K] of all images, about their common mean."""
  return float(values.var(dtype=np.float64))


def spread(values: np.ndarray) -> float:
  """Returns how far logits [N, K] reach, without the least and the greatest thousandth."""
  low, high = np.quantile(values, (_TAIL, 1 - _TAIL))
  return float(high - low)
