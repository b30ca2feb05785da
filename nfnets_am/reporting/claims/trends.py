"""Many cells in order."""

from collections.abc import Sequence
import math

from nfnets_am.core import quantities
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import paper


def rises(key: str, values: Sequence[float], where: judging.Where | None = None, metric: str = ''
          ) -> judging.Check:
  """The best of the last value is better than that of the first, and so is the line through all.

  Neighbours may be closer than what can be resolved; a step that counts the other way speaks
  against it.

  Args:
    key: of the cells.
    values: over 0, ascending. The line is over their logarithm.
    where: cells.
    metric: '' is the sweep's own.
  """

  @judging.check
  def judge(results):
    name = metric or results.sweep.metric
    wheres = [{**(where or {}), key: value} for value in values]
    cells = [judging.best(results, one, name) for one in wheres]
    found = [judging.contrast(name, (1, cells[-1]), (-1, cells[0])),
             judging.contrast(name, *zip(_slope(values), cells, strict=True))]
    steps = [judging.contrast(name, (1, later), (-1, former))
             for former, later in zip(cells, cells[1:], strict=False)]
    against = [one for one in (*found, *steps) if one.side < 0]
    deciding = judging.weakest(against or found)
    quantity = quantities.of(name)
    text = f'{key} ' + ', '.join(f'{value}: {quantity.text(cell.summaries[name].mean)}'
                                 for value, cell in zip(values, cells, strict=True))
    slope = quantity.sign * found[1].value
    return paper.Verdict(
        judging.of_side(deciding, '').outcome,
        f'{text}; {quantity.text(slope)} for each doubling'
        + judging.so_far(results, *wheres), deciding)

  return judge


def _slope(values: Sequence[float]) -> list[float]:
  """Weights of the slope of a least squares line over the logarithm to base 2."""
  places = [math.log2(value) for value in values]
  middle = sum(places) / len(places)
  square = sum((place - middle)**2 for place in places)
  return [(place - middle) / square for place in places]
