"""What all checks share: cells by what they must have, verdicts by their differences."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import functools
from typing import Any

from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

Where = Mapping[str, Any]
Check = Callable[[reduction.Results], paper.Verdict]
_OUTCOMES = {1: paper.HOLDS, 0: paper.OPEN, -1: paper.FAILS}
# Of several verdicts the first of these is that of all.
_ORDER = (paper.FAILS, paper.NOT_HERE, paper.NOT_RUN, paper.OPEN, paper.HOLDS)


class Unjudged(Exception):
  """Ends a check that cannot compare, with its verdict."""

  def __init__(self, outcome: str, text: str):
    super().__init__(text)
    self.verdict = paper.Verdict(outcome, text)


def check(judge: Check) -> Check:
  """Makes a check of a function that may raise Unjudged."""

  @functools.wraps(judge)
  def judged(results):
    try:
      return judge(results)
    except Unjudged as e:
      return e.verdict

  return judged


def of_side(difference: differences.Difference, text: str) -> paper.Verdict:
  """Returns the verdict of one difference."""
  return paper.Verdict(_OUTCOMES[difference.side], text, difference)


def all_of(*checks: Check) -> Check:
  """All of several checks hold: one that fails decides, then one that is not run or resolved."""

  def judge(results):
    verdicts = [one(results) for one in checks]
    outcome = min((verdict.outcome for verdict in verdicts), key=_ORDER.index)
    deciding = [verdict.difference for verdict in verdicts
                if verdict.outcome == outcome and verdict.difference is not None]
    text = '; '.join(dict.fromkeys(
        part for verdict in verdicts for part in verdict.ours.split('; ')))
    return paper.Verdict(outcome, text, weakest(deciding) if deciding else None)

  return judge


def not_run_here(why: str) -> Check:
  """A statement that needs runs which no plan has."""
  return lambda results: paper.Verdict(paper.NOT_HERE, why)


def weakest(found: Sequence[differences.Difference]) -> differences.Difference:
  """Returns the difference that speaks least for a claim that rests on all of them."""
  return min(found, key=lambda difference: difference.strength)


def cells_of(results: reduction.Results, where: Where) -> tuple[reduction.Cell, ...]:
  """Returns the cells that match.

  Raises:
    Unjudged: there is none, or one of them has no run that is done, of those that count.
  """
  cells = results.matching(where)
  if not cells:
    raise Unjudged(paper.NOT_HERE, f'no cell has {name_of(where)}')
  if not all(any(run.counts and run.done for run in cell.runs) or cell.summaries
             for cell in cells):
    runs = [run for cell in cells for run in cell.runs]
    raise Unjudged(paper.NOT_RUN, f'{sum(run.done for run in runs)} of {len(runs)} runs are done '
                   f'at {name_of(where)}')
  return cells


def best(results: reduction.Results, where: Where, metric: str) -> reduction.Cell:
  """Returns the best of the cells that match.

  Raises:
    Unjudged: as `cells_of`, or all of their runs diverged.
  """
  cells_of(results, where)
  found = results.best(where, metric)
  if found is None:
    raise Unjudged(paper.OPEN, f'every run diverged at {name_of(where)}')
  return found


def contrast(metric: str, *terms: tuple[float, reduction.Cell]) -> differences.Difference:
  """Returns a weighted sum of the metric at cells; a cell that comes twice is one network."""
  weights: dict[int, float] = {}
  cells = {id(cell): cell for _, cell in terms}
  for weight, cell in terms:
    weights[id(cell)] = weights.get(id(cell), 0.0) + weight
  return differences.weighted(
      (weight, cells[name].summaries[metric].measured(metric)) for name, weight in weights.items())


def text_of(metric: str, cell: reduction.Cell, where: Where) -> str:
  """Returns '74.30% ± 0.10% at multiplicity 16, epochs 128, peak 0.125'."""
  at = {key: value for key, value in cell.key.items()
        if key in ('epochs', 'updates', 'peak') and (
            key not in where or isinstance(where[key], tuple))}
  return f'{cell.summaries[metric].text(metric)} at {name_of({**where, **at})}'


def so_far(results: reduction.Results, *wheres: Where) -> str:
  """Returns what to add to a verdict that rests on a part of its runs."""
  runs = [run for cell in results.matching(*wheres) for run in cell.runs]
  done = sum(run.done for run in runs)
  return '' if done == len(runs) else f' (so far: {done} of {len(runs)} runs)'


def name_of(where: Where) -> str:
  """Returns the text of what names cells, 'multiplicity 16, peak 0.125'."""
  return ', '.join(f'{key} {_value(value)}' for key, value in where.items()) or 'all'


def _value(value: Any) -> str:
  if isinstance(value, tuple):
    return ' or '.join(map(_value, value))
  return f'{value:g}' if isinstance(value, float) else str(value)
