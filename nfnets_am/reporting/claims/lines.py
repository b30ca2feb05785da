"""Lines of cells over a key or a derived number, compared at the values that all have."""

from collections.abc import Iterable
from collections.abc import Sequence
import dataclasses
import math
import statistics

from nfnets_am.core import quantities
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

Line = dict[float, reduction.Cell]
# A share of its line's best that a cell must have to count as one that learns.
_LEARNS = 0.5


def line_of(results: reduction.Results, where: judging.Where, x: str, metric: str) -> Line:
  """Returns x -> cell, ascending; the best of each learning rate, unless x goes with the rate.

  A cell whose runs all diverged has its place.

  Args:
    results: of a sweep.
    where: the cells of the line.
    x: a key of the cells ('epochs'), or a derived number ('temperature').
    metric: which has a best learning rate of its own.

  Raises:
    Unjudged: as `judging.cells_of`.
  """
  judging.cells_of(results, where)
  cells, tune = results.matching(where), results.sweep.tune
  if tune and x != tune and not any(
      len({cell.number(x) for cell in grid}) > 1 for grid in reduction.groups_of(cells, tune)):
    cells = results.tuned(metric, where)
  groups: dict[float, list[reduction.Cell]] = {}
  for cell in cells:
    groups.setdefault(cell.number(x), []).append(cell)
  return {value: reduction.best_cell(groups[value], metric) or groups[value][0]
          for value in sorted(groups)}


def top(cells: Iterable[reduction.Cell], metric: str) -> reduction.Cell | None:
  """Returns the best of some cells; None if all of their runs diverged."""
  known = [cell for cell in cells if metric in cell.summaries]
  return max(known, default=None, key=lambda cell: cell.summaries[metric].measured(metric).value)


def course(cell: reduction.Cell, metric: str) -> list[tuple[float, differences.Difference]]:
  """Returns (epochs, value turned so that better is more) of a cell's evaluations and its end."""
  summary = cell.summaries.get(metric)
  if summary is None:
    return []
  # A summary of its own has the error that so many runs and examples have.
  at = lambda mean, deviation: reduction.Summary(
      mean, deviation, summary.runs, summary.examples).measured(metric)
  per_epoch = cell.number('updates_per_epoch')
  return [*((float(update) / per_epoch, at(float(mean), float(deviation)))
            for update, mean, deviation in zip(*cell.history(metric), strict=True)),
          (cell.number('epochs'), summary.measured(metric))]


def learns(cell: reduction.Cell, metric: str, best: reduction.Cell) -> bool:
  """Whether the mean of a cell is not as if it had not learned; see `value_learns`."""
  if metric not in cell.summaries:
    return False
  return value_learns(cell.summaries[metric].mean, metric, best)


def value_learns(value: float, metric: str, best: reduction.Cell) -> bool:
  """Whether a value is at least half of the best one; of what is low when good, any value is."""
  return quantities.of(metric).sign < 0 or value >= _LEARNS * best.summaries[metric].mean


def over(a: judging.Where, b: judging.Where, x: str, metric: str = '', *, beyond: bool = False,
         where_both_learn: bool = False) -> judging.Check:
  """The line of `a` lies over that of `b`: on average over the common values, and at none under it.

  'Over' is on the better side. A cell that diverged lies under all others.

  Args:
    a, b: the cells of a line each.
    x: a key of the cells, or a derived number.
    metric: '' is the sweep's own.
    beyond: only at values above the one at which `b` is best.
    where_both_learn: only at values at which neither of them diverged or stayed below half of the
      best; else at those at which one of them did not.
  """

  @judging.check
  def judge(results):
    key = metric or results.sweep.metric
    first, second = (line_of(results, where, x, key) for where in (a, b))
    values = [value for value in first if value in second]
    if not values:
      raise judging.Unjudged(paper.NOT_HERE, f'{judging.name_of(a)} and {judging.name_of(b)} have '
                             f'no {x} in common')
    best = top([*first.values(), *second.values()], key)
    if best is None:
      raise judging.Unjudged(paper.OPEN, 'every run diverged')
    if beyond:
      peak = top(second.values(), key)
      values = [value for value in values if peak and value > peak.number(x)]
    enough = all if where_both_learn else any
    values = [value for value in values
              if enough(learns(line[value], key, best) for line in (first, second))]
    if not values:
      raise judging.Unjudged(paper.OPEN, f'no common {x} is left')
    found = [_between(first[value], second[value], key) for value in values]
    mean = _mean(found)
    against = [one for one in found if one.side < 0]
    deciding = judging.weakest(against) if against else mean
    listed = ', '.join(f'{value:.4g}: {_signed(key, one.value)}'
                       for value, one in zip(values, found, strict=True))
    return paper.Verdict(
        judging.of_side(deciding, '').outcome,
        f'{judging.name_of(a)} less {judging.name_of(b)} at {x} {listed}'
        + judging.so_far(results, a, b), deciding)

  return judge


def together(key: str, x: str, where: judging.Where, within: float, least: int = 2
             ) -> judging.Check:
  """The lines of all values of a key lie within `within` at the least `least` common values of x.

  Values of x at which no line learns say nothing and are left out.

  Args:
    key: of the cells, one line for each of its values.
    x: a key of the cells, or a derived number.
    where: cells.
    within: from the highest to the lowest line, as the metric is read.
    least: so many values.
  """

  @judging.check
  def judge(results):
    metric = results.sweep.metric
    quantity = quantities.of(metric)
    names = dict.fromkeys(cell.key[key] for cell in judging.cells_of(results, where))
    lines = [line_of(results, {**where, key: name}, x, metric) for name in names]
    tops = [best for line in lines if (best := top(line.values(), metric)) is not None]
    common = sorted(set.intersection(*map(set, lines)))
    if len(lines) < 2 or not common:
      raise judging.Unjudged(paper.NOT_HERE, f'the lines have no {x} in common')
    found = {}
    for value in common:
      cells = [line[value] for line in lines]
      if len(found) < least and any(learns(cell, metric, best) for cell in cells for best in tops):
        found[value] = _spread(cells, metric)
    if not found:
      raise judging.Unjudged(paper.OPEN, 'nothing has learned at a common value')
    left = {value: dataclasses.replace(spread, value=within / quantity.scale - spread.value)
            for value, spread in found.items()}
    deciding = judging.weakest(list(left.values()))
    return paper.Verdict(
        judging.of_side(deciding, '').outcome,
        f'from the highest to the lowest line at {x} ' + ', '.join(
            f'{value:.4g}: {quantity.text(spread.value)}' for value, spread in found.items())
        + judging.so_far(results, where), deciding)

  return judge


def _between(a: reduction.Cell, b: reduction.Cell, metric: str) -> differences.Difference:
  """`a` less `b`; infinite if one of them diverged."""
  if metric in a.summaries and metric in b.summaries:
    return judging.contrast(metric, (1, a), (-1, b))
  known, value = (a, math.inf) if metric in a.summaries else (b, -math.inf)
  return dataclasses.replace(known.summaries[metric].measured(metric), value=value)


def _mean(found: Sequence[differences.Difference]) -> differences.Difference:
  """The mean over the values of x.

  All see one test set, whose error does not shrink with the values. Single runs have no error over
  seeds: that of three values or more is taken from how the differences scatter, which is more.
  """
  finite = [one for one in found if abs(one.value) < math.inf]
  endless = [one for one in found if one.value == math.inf]
  if not finite:
    return endless[0]
  count = len(finite)
  mean = statistics.fmean(one.value for one in finite)
  if all(one.seeds is not None for one in finite):
    seeds = math.hypot(*(one.seeds for one in finite)) / count
  elif count > 2:
    seeds = statistics.stdev(one.value for one in finite) / math.sqrt(count)
  else:
    seeds = None
  whole = differences.Difference(mean, seeds, statistics.fmean(one.sampling for one in finite),
                                 min(one.runs for one in finite), finite[0].metric)
  return endless[0] if endless and whole.side >= 0 else whole


def _spread(cells: Sequence[reduction.Cell], metric: str) -> differences.Difference:
  """From the highest to the lowest of some cells; infinite if one diverged and others did not."""
  ordered = sorted((cell for cell in cells if metric in cell.summaries),
                   key=lambda cell: cell.summaries[metric].measured(metric).value)
  if len(ordered) < len(cells):
    return dataclasses.replace(ordered[0].summaries[metric].measured(metric), value=math.inf)
  return judging.contrast(metric, (1, ordered[-1]), (-1, ordered[0]))


def _signed(metric: str, value: float) -> str:
  """A difference as the metric is read, low ones under 0 where low is better."""
  if abs(value) == math.inf:
    return 'the other diverged' if value > 0 else 'diverged'
  quantity = quantities.of(metric)
  return f'{quantity.sign * quantity.scale * value:+{quantity.digits}}'
