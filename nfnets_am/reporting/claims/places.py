"""Where on its axis a line has its best, and how far up it a network learns."""

from nfnets_am.core import quantities
from nfnets_am.reporting.claims import judging
from nfnets_am.reporting.claims import lines
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

# The step of the grids, and that step twice.
_STEP = 2.0


def best_at(relation: str, x: str, a: judging.Where, b: judging.Where, metric: str = ''
            ) -> judging.Check:
  """The line of `a` has its best at a 'smaller', 'larger' or the 'same' value of x as that of `b`.

  A best may be anywhere where the line does not fall short of it by what counts. 'smaller' holds if
  at the best of `a` and below `b` falls short of its own; it does not hold if `a` falls short of
  its own wherever x is smaller than at the best of `b`. A best on the edge of its grid may lie
  beyond it: where that could turn the answer, it is open.

  Args:
    relation: 'larger' is 'smaller' the other way round; 'same' does not hold if no two places of
      the bests lie within a step of the grid, a factor of 2, and holds if all lie within two.
    x: a key of the cells ('epochs', 'peak') or a derived number ('temperature').
    a, b: the cells of a line each.
    metric: '' is the sweep's own.
  """

  @judging.check
  def judge(results):
    key = metric or results.sweep.metric
    found = [_Best(lines.line_of(results, where, x, key), key, where) for where in (a, b)]
    text = '; '.join(
        f'best {x} {best.text} at {judging.name_of(where)}'
        for best, where in zip(found, (a, b), strict=True))
    first, second = found[::-1] if relation == 'larger' else found
    outcome = _same(first, second) if relation == 'same' else _smaller(first, second)
    return paper.Verdict(
        outcome, text + judging.so_far(results, a, b), second.short_at(first.at))

  return judge


class _Best:
  """The best of a line and where else it may be."""

  def __init__(self, line: lines.Line, metric: str, where: judging.Where):
    self._line, self._metric = line, metric
    self._top = lines.top(line.values(), metric)
    if self._top is None:
      raise judging.Unjudged(paper.OPEN, f'every run diverged at {judging.name_of(where)}')
    self.at = next(value for value, cell in line.items() if cell is self._top)
    self.places = [value for value, cell in line.items()
                   if metric in cell.summaries and self._short(cell).side <= 0]
    self.first, self.last = self.places[0], self.places[-1]
    values = list(line)
    # Beyond the edges of its grid.
    self.may_be_less, self.may_be_more = self.first == values[0], self.at == values[-1]

  @property
  def text(self) -> str:
    """The place, whether it is an edge, and where else it may be."""
    edge = ' (the last)' if self.may_be_more else (
        ' (the first)' if self.at == self.first and self.may_be_less else '')
    other = f', or from {self.first:g} to {self.last:g},' if len(self.places) > 1 else ''
    return f'{self.at:g}{edge}{other}'

  def short_at(self, x: float) -> differences.Difference | None:
    """By how much the line falls short of its best at a value; None where it is not known."""
    cell = self._line.get(x)
    known = cell is not None and self._metric in cell.summaries and cell is not self._top
    return self._short(cell) if known else None

  def _short(self, cell: reduction.Cell) -> differences.Difference:
    return judging.contrast(self._metric, (1, self._top), (-1, cell))


def _smaller(a: _Best, b: _Best) -> str:
  if a.at < b.first and not a.may_be_more and not b.may_be_less:
    return paper.HOLDS
  if a.first >= b.at and not a.may_be_less and not b.may_be_more:
    return paper.FAILS
  return paper.OPEN


def _same(a: _Best, b: _Best) -> str:
  ratios = [max(x, y) / min(x, y) for x in a.places for y in b.places]
  if min(ratios) > _STEP:
    return paper.FAILS
  return paper.HOLDS if max(ratios) <= _STEP**2 else paper.OPEN


def stable_to(relation: str, x: str, a: judging.Where, b: judging.Where) -> judging.Check:
  """`a` learns up to a 'larger' value of x than `b` does, or to 'no larger' one.

  Where some runs of a cell learn and others do not, the end is not known better than that, and
  neither is it if the last value of a grid still learns.

  Args:
    relation: 'larger', or 'no larger'.
    x: a key of the cells ('peak') or a derived number ('temperature').
    a, b: the cells of a line each.
  """

  @judging.check
  def judge(results):
    metric = results.sweep.metric
    quantities.judged(metric)
    first, second = (_Reach(lines.line_of(results, where, x, metric), metric, where)
                     for where in (a, b))
    larger = (paper.HOLDS if first.surely > second.perhaps and not second.open else
              paper.FAILS if first.perhaps <= second.surely and not first.open else paper.OPEN)
    turned = {paper.HOLDS: paper.FAILS, paper.FAILS: paper.HOLDS, paper.OPEN: paper.OPEN}
    text = '; '.join(f'learns up to {x} {reach.text} at {judging.name_of(where)}'
                     for reach, where in ((first, a), (second, b)))
    return paper.Verdict(larger if relation == 'larger' else turned[larger],
                         text + judging.so_far(results, a, b))

  return judge


class _Reach:
  """How far up its axis a line learns: at `surely` all runs do, at `perhaps` some."""

  def __init__(self, line: lines.Line, metric: str, where: judging.Where):
    top = lines.top(line.values(), metric)
    if top is None:
      raise judging.Unjudged(paper.OPEN, f'every run diverged at {judging.name_of(where)}')
    shares = {value: _share(cell, metric, top) for value, cell in line.items()}
    self.surely = max((value for value, share in shares.items() if share == 1), default=0.0)
    self.perhaps = max(value for value, share in shares.items() if share > 0)
    self.open = self.perhaps == max(shares)
    self.text = (f'{self.surely:g}' if self.surely == self.perhaps else
                 f'{self.surely:g}, some runs up to {self.perhaps:g},') + (
                     ', the last value,' if self.open else '')


def _share(cell: reduction.Cell, metric: str, top: reduction.Cell) -> float:
  """The share of the done runs of a cell that learn."""
  runs = [run for run in cell.runs if run.counts and run.done]
  return sum(metric in run.final and lines.value_learns(run.final[metric], metric, top)
             for run in runs) / len(runs)
