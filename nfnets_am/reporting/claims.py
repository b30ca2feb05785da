"""Checks of a paper's claims on our runs.

A check compares cells that are named by what they must have ({'multiplicity': 16}); where several
have it, by the best of them, at the best learning rate and budget. A difference counts if it is
over twice its standard error, which is 0 for single runs.
"""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import math
from typing import Any

from nfnets_am.core import quantities
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

Where = Mapping[str, Any]
Check = Callable[[reduction.Results], paper.Verdict]


def better(a: Where, b: Where, metric: str = '') -> Check:
  """The best of `a` is better than the best of `b`."""
  return _differ(a, b, metric, 1)


def worse(a: Where, b: Where, metric: str = '') -> Check:
  """The best of `a` is worse than the best of `b`."""
  return _differ(a, b, metric, -1)


def alike(a: Where, b: Where, within: float, metric: str = '') -> Check:
  """The bests of `a` and `b` differ by less than `within`, in units of the metric."""

  def judge(key, x, y):
    gap = abs(x.summaries[key].mean - y.summaries[key].mean)
    return gap < within, (f'{_text(key, x, a)}; {_text(key, y, b)}; allowed to differ by '
                          f'{quantities.of(key).text(within)}')

  return _of_pair(a, b, metric, judge)


def within_factor(a: Where, b: Where, factor: float, metric: str = '') -> Check:
  """The bests of `a` and `b` differ by less than a factor, for quantities without a scale."""

  def judge(key, x, y):
    ratio = x.summaries[key].mean / y.summaries[key].mean
    return 1 / factor < ratio < factor, (
        f'{ratio:.2f} times as much at {name_of(a)} as at {name_of(b)}; allowed: a factor of '
        f'{factor:g}')

  return _of_pair(a, b, metric, judge)


def rises(key: str, values: Sequence[Any], where: Where | None = None, metric: str = '') -> Check:
  """The best of each value is better than that of the value before."""

  def check(results):
    name = metric or results.sweep.metric
    wheres = [{**(where or {}), key: value} for value in values]
    found = [results.best(one, name) for one in wheres]
    if None in found:
      return _not_run(results, *wheres)
    means = [cell.summaries[name].mean for cell in found]
    quantity = quantities.of(name)
    return paper.Verdict(
        all(quantity.sign * (b - a) > 0 for a, b in zip(means, means[1:], strict=False)),
        f'{key} ' + ', '.join(f'{value}: {quantity.text(mean)}'
                              for value, mean in zip(values, means, strict=True))
        + _so_far(results, *wheres))

  return check


def at_value(relation: str, quantity: str, a: Where, b: Where, metric: str = '') -> Check:
  """The best of `a` lies at a 'smaller', 'larger' or the 'same' value of a quantity as that of `b`.

  Args:
    relation: 'same' allows a factor of 2, the step of the grids.
    quantity: a key of the cells ('epochs', 'peak') or a derived number ('temperature').
    a: cells.
    b: cells.
    metric: '' is the sweep's own.
  """

  def judge(key, *pair):
    x, y = (cell.number(quantity) for cell in pair)
    holds = {'smaller': x < y, 'larger': x > y, 'same': 0.5 <= x / y <= 2}[relation]
    return holds, f'best {quantity} {x:g} at {name_of(a)}, {y:g} at {name_of(b)}'

  return _of_pair(a, b, metric, judge)


def collapses(key: str, quantity: str, where: Where) -> Check:
  """Lines of different `key` lie together at the least common `quantity` and apart at the largest.

  Compared are the spreads (highest less lowest) at those values that all lines have.
  """

  def check(results):
    metric = results.sweep.metric
    lines: dict[Any, dict[float, float]] = {}
    for cell in results.matching(where):
      line = lines.setdefault(cell.key[key], {})
      if metric in cell.summaries:
        line[cell.number(quantity)] = cell.summaries[metric].mean
    common = sorted(set.intersection(*map(set, lines.values()))) if lines else []
    if len(common) < 2:
      return _not_run(results, where)
    low, high = ([line[x] for line in lines.values()] for x in (common[0], common[-1]))
    low, high = max(low) - min(low), max(high) - min(high)
    text = quantities.of(metric).text
    return paper.Verdict(
        low < high, f'spread {text(low)} at {quantity} {common[0]:g}, {text(high)} at '
        f'{common[-1]:g}' + _so_far(results, where))

  return check


def reaches(where: Where, printed: float, within: float = 0.2) -> Check:
  """The best is as good as the printed value, less `within` for one run's chance.

  Args:
    where: cells.
    printed: as the metric is read, such as 86.78 of a share in percent.
    within: in the same units.
  """

  def check(results):
    metric = results.sweep.metric
    cell = results.best(where)
    if cell is None:
      return _not_run(results, where)
    quantity = quantities.of(metric)
    measured = quantity.scale * cell.summaries[metric].mean
    what = 'points' if quantity.unit == '%' else quantity.unit or metric
    return paper.Verdict(
        quantity.sign * measured >= quantity.sign * printed - within,
        f'{_text(metric, cell, where)}; {within:g} {what} '
        f'{"less" if quantity.sign > 0 else "more"} are allowed')

  return check


def all_of(*checks: Check) -> Check:
  """All of several checks hold."""

  def check(results):
    verdicts = [one(results) for one in checks]
    known = [verdict.holds for verdict in verdicts]
    holds = False if False in known else None if None in known else True
    return paper.Verdict(holds, '; '.join(dict.fromkeys(verdict.ours for verdict in verdicts)))

  return check


def _of_pair(a: Where, b: Where, metric: str, judge: Callable[..., tuple[bool, str]]) -> Check:
  """A check of two bests: judge(metric, best of a, best of b) is whether it holds, and a text."""

  def check(results):
    key = metric or results.sweep.metric
    pair = [results.best(where, key) for where in (a, b)]
    if None in pair:
      return _not_run(results, a, b)
    holds, text = judge(key, *pair)
    return paper.Verdict(holds, text + _so_far(results, a, b))

  return check


def _differ(a: Where, b: Where, metric: str, direction: int) -> Check:

  def judge(key, *pair):
    x, y = (cell.summaries[key] for cell in pair)
    error = math.sqrt(sum(s.deviation**2 / s.runs for s in (x, y)))
    gap = quantities.of(key).sign * direction * (x.mean - y.mean)
    close = '; within two standard errors' if 0 < gap <= 2 * error else ''
    return gap > 2 * error, f'{_text(key, pair[0], a)}; {_text(key, pair[1], b)}{close}'

  return _of_pair(a, b, metric, judge)


def _text(metric: str, cell: reduction.Cell, where: Where) -> str:
  at = {key: value for key, value in cell.key.items()
        if key in ('epochs', 'updates', 'peak') and key not in where}
  return f'{cell.summaries[metric].text(metric)} at {name_of({**where, **at})}'


def name_of(where: Where) -> str:
  """Returns the text of what names cells, 'multiplicity 16, peak 0.125'."""
  return ', '.join(f'{key} {value:g}' if isinstance(value, float) else f'{key} {value}'
                   for key, value in where.items()) or 'all'


def _runs(results: reduction.Results, wheres: Sequence[Where]) -> tuple[list, int]:
  """The runs that a claim rests on, and how many of them are done."""
  runs = [run for cell in results.matching(*wheres) for run in cell.runs]
  return runs, sum(run.done for run in runs)


def _so_far(results: reduction.Results, *wheres: Where) -> str:
  """What to add to a verdict that rests on a part of its runs."""
  runs, done = _runs(results, wheres)
  return '' if done == len(runs) else f' (so far: {done} of {len(runs)} runs)'


def _not_run(results: reduction.Results, *wheres: Where) -> paper.Verdict:
  runs, done = _runs(results, wheres)
  diverged = sum(run.status == 'diverged' for run in runs)
  return paper.Verdict(None, f'{done} of {len(runs)} runs are done'
                       + (f', {diverged} of them diverged' if diverged else ''))
