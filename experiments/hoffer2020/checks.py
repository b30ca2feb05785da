"""Checks of this paper's claims that are more than the means of two cells.

A single run has no error over seeds that is known. What these compare has one of its own: a median
over pairs of images or over updates, with the deviation beside it in the run's lines; the share of
the errors that views remove; a curve over the log.
"""

from collections.abc import Sequence
import math
import statistics

import numpy as np

from nfnets_am.core import quantities
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

# A median's standard error over that of a mean, of normal numbers.
_OF_MEDIAN = math.sqrt(math.pi / 2)
SINGLE, VIEWS = 'test/top1', 'views/top1'
_REMOVED = 'views/reduction'


def more(where: claims.Where, gaps: Sequence[tuple[str, str]], count: int) -> claims.Check:
  """Of each run the first median of every gap is over the second.

  Args:
    where: one cell.
    gaps: two metrics each, with 'deviation' beside them.
    count: pairs or updates that a median is over.
  """

  @judging.check
  def judge(results):
    (cell,) = judging.cells_of(results, where)
    found = [_gap(cell, high, low, count) for high, low in gaps]
    text = '; '.join(
        f'{_text(cell, high)} of {_name(high)}, {_text(cell, low)} of {_name(low)}'
        for high, low in gaps)
    return judging.of_side(judging.weakest(found), text + judging.so_far(results, where))

  return judge


def near(where: claims.Where, metric: str, value: float, within: float, count: int
         ) -> claims.Check:
  """A median is within so much of a value; arguments as of `more`."""

  @judging.check
  def judge(results):
    (cell,) = judging.cells_of(results, where)
    off = [abs(x - value) for x in _finals(cell, metric)]
    found = differences.Difference(
        within - statistics.mean(off), _over_seeds(off), _error(cell, metric, count), len(off),
        metric)
    return judging.of_side(found, f'{_text(cell, metric)} of {_name(metric)}'
                           + judging.so_far(results, where))

  return judge


def ratio(a: claims.Where, b: claims.Where, metric: str, count: int, *, over: float = 0.0,
          under: float = math.inf) -> claims.Check:
  """The median of `b` over that of `a` is over one number and under another.

  Args:
    a, b: one cell each.
    metric: as of `more`; over 0.
    count: updates that a median is over.
    over, under: exclusive.
  """

  @judging.check
  def judge(results):
    (low,), (high,) = (judging.cells_of(results, where) for where in (a, b))
    mean = lambda cell: statistics.mean(_finals(cell, metric))
    found = mean(high) / mean(low)
    error = found * math.hypot(*(_error(cell, metric, count) / mean(cell) for cell in (low, high)))
    margin = min(found - over, under - found)
    runs = min(len(_finals(cell, metric)) for cell in (low, high))
    return judging.of_side(
        differences.Difference(margin, None, error, runs, metric),
        f'{found:.2f} times as much at {judging.name_of(b)} as at {judging.name_of(a)}'
        + judging.so_far(results, a, b))

  return judge


def removes_more(a: claims.Where, b: claims.Where) -> claims.Check:
  """Views at test time remove a larger share of the errors of `a` than of those of `b`."""

  @judging.check
  def judge(results):
    cells = [judging.cells_of(results, where)[0] for where in (a, b)]
    first, second = (_removed(cell) for cell in cells)
    text = '; '.join(f'{quantities.of(_REMOVED).text(share.value)} of the errors at '
                     f'{judging.name_of(where)}'
                     for share, where in ((first, a), (second, b)))
    return judging.of_side(differences.weighted(((1, first), (-1, second))),
                           text + judging.so_far(results, a, b))

  return judge


def removed(single: float, views: float) -> float:
  """Returns the share of the errors that views remove, from two accuracies; under 0 if they add."""
  return (views - single) / (1 - single)


def below(a: claims.Where, b: claims.Where, metric: str) -> claims.Check:
  """The curve of `a` lies below that of `b`, in the mean over the lines of the log.

  A curve of a single run has the error of how its lines scatter.
  """

  @judging.check
  def judge(results):
    curves = []
    for where in (a, b):
      (cell,) = judging.cells_of(results, where)
      updates, values, _ = curve(cell, metric)
      curves.append(dict(zip(updates.tolist(), values.tolist(), strict=True)))
    common = sorted(curves[0].keys() & curves[1].keys())
    if len(common) < 3:
      raise judging.Unjudged(paper.OPEN, f'{len(common)} lines of the log are of the same update')
    gaps = [curves[1][update] - curves[0][update] for update in common]
    mean, error = statistics.mean(gaps), statistics.stdev(gaps) / math.sqrt(len(gaps))
    return judging.of_side(
        differences.Difference(mean, error, 0.0, 1, metric),
        f'lower at {sum(gap > 0 for gap in gaps)} of {len(gaps)} lines of the log, by {mean:.4g} '
        f'in the mean, at {judging.name_of(a)} than at {judging.name_of(b)}'
        + judging.so_far(results, a, b))

  return judge


def curve(cell: reduction.Cell, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """As Cell.history, without a last line that covers fewer updates than the others."""
  updates, mean, deviation = cell.history(metric)
  every = cell.number('log_every')
  whole = updates % every == 0 if every == every else np.ones(len(updates), bool)
  return updates[whole], mean[whole], deviation[whole]


def _gap(cell: reduction.Cell, high: str, low: str, count: int) -> differences.Difference:
  gaps = [x - y for x, y in zip(_finals(cell, high), _finals(cell, low), strict=True)]
  return differences.Difference(
      statistics.mean(gaps), _over_seeds(gaps),
      math.hypot(_error(cell, high, count), _error(cell, low, count)), len(gaps), high)


def _removed(cell: reduction.Cell) -> differences.Difference:
  """The share of a cell's errors that views remove, as if the views saw other images."""
  single, views = (np.array(_finals(cell, metric)) for metric in (SINGLE, VIEWS))
  shares = removed(single, views)
  examples = cell.summaries[SINGLE].examples
  left = 1 - shares.mean()
  # The relative error of a share p of N errors is sqrt((1 - p) / (p N)).
  relative = [float(accuracy.mean() / ((1 - accuracy.mean()) * examples))
              for accuracy in (single, views)] if examples else [0.0]
  return differences.Difference(
      float(shares.mean()), _over_seeds(shares.tolist()), left * math.sqrt(sum(relative)),
      len(shares), _REMOVED)


def _finals(cell: reduction.Cell, metric: str) -> list[float]:
  found = [run.final[metric] for run in cell.runs if metric in run.final]
  if not found:
    raise judging.Unjudged(paper.OPEN, f'no run has {metric}')
  return found


def _over_seeds(values: Sequence[float]) -> float | None:
  return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def _error(cell: reduction.Cell, metric: str, count: int) -> float:
  """The standard error of a median; pairs are the same in all runs, which do not lower it."""
  deviations = _finals(cell, metric.partition('/')[0] + '/deviation')
  return _OF_MEDIAN * statistics.mean(deviations) / math.sqrt(count)


def _text(cell: reduction.Cell, metric: str) -> str:
  return quantities.of(metric).text(statistics.mean(_finals(cell, metric)))


def _name(metric: str) -> str:
  return metric.partition('/')[0]
