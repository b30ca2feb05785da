"""A number that someone printed, or a cell's own, and what reaches it, and how soon."""

import dataclasses
import math

from nfnets_am.core import quantities
from nfnets_am.reporting.claims import judging
from nfnets_am.reporting.claims import lines
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction


def reaches(where: judging.Where, level: float) -> judging.Check:
  """The best is as good as a level, which the claim names; it need not be so with other seeds.

  A best that falls short by what does not count leaves it open.

  Args:
    where: cells.
    level: as the metric is read, such as 86.75 of a share in percent.
  """

  @judging.check
  def judge(results):
    metric = results.sweep.metric
    cell = judging.best(results, where, metric)
    quantity = quantities.of(metric)
    found = cell.summaries[metric].measured(metric).less(quantity.sign * level / quantity.scale)
    # 0.8675 of a hundred is a hair off 86.75.
    outcome = paper.HOLDS if found.value > -1e-9 else judging.of_side(found, '').outcome
    return paper.Verdict(outcome, judging.text_of(metric, cell, where)
                         + judging.so_far(results, where), found)

  return judge


def beats(where: judging.Where, printed: float) -> judging.Check:
  """The best is better than what others print of another network on the same test set.

  Args:
    where: cells.
    printed: as the metric is read.
  """

  @judging.check
  def judge(results):
    metric = results.sweep.metric
    cell = judging.best(results, where, metric)
    theirs = printed_as(cell, metric, printed)
    found = differences.weighted(((1, cell.summaries[metric].measured(metric)), (-1, theirs)))
    return judging.of_side(
        found, f'{judging.text_of(metric, cell, where)}; {printed:g} is printed'
        + judging.so_far(results, where))

  return judge


def printed_as(cell: reduction.Cell, metric: str, printed: float, uncertainty: float = 0.0
               ) -> differences.Difference:
  """Returns a printed number as if it were a cell's own, measured on the same number of examples.

  Args:
    cell: ours.
    metric: of both.
    printed: as the metric is read.
    uncertainty: as printed; taken for a standard error over the seeds.
  """
  scale = quantities.of(metric).scale
  theirs = dataclasses.replace(cell.summaries[metric], mean=printed / scale)
  return dataclasses.replace(theirs.measured(metric), seeds=uncertainty / scale,
                             runs=theirs.runs)


def no_dearer(a: judging.Where, b: judging.Where, quantity: str) -> judging.Check:
  """The best of `a` with no more of a quantity than the best of `b` has is better than that.

  Args:
    a, b: cells.
    quantity: a derived number that costs, such as 'updates'.
  """

  @judging.check
  def judge(results):
    metric = results.sweep.metric
    cells, rival = judging.cells_of(results, a), judging.best(results, b, metric)
    most = rival.number(quantity)
    cheap = [cell for cell in cells if cell.number(quantity) <= most]
    if not cheap:
      raise judging.Unjudged(
          paper.OPEN, f'{judging.name_of(b)} is best after {most:,g} {quantity}, and no cell of '
          f'{judging.name_of(a)} has as few')
    best = results.best_of(cheap, metric)
    if best is None:
      raise judging.Unjudged(paper.OPEN, f'every run diverged at {judging.name_of(a)}')
    return judging.of_side(
        judging.contrast(metric, (1, best), (-1, rival)),
        f'{judging.text_of(metric, best, a)} after {best.number(quantity):,g} {quantity}; '
        f'{judging.text_of(metric, rival, b)} after {most:,g}' + judging.so_far(results, a, b))

  return judge


def sooner(a: judging.Where, b: judging.Where, factor: float) -> judging.Check:
  """`a` reaches the accuracy of the best of `b` in a `factor` of fewer epochs than `b` needs.

  What `b` needs are the epochs from which on an evaluation of a run of its is as good as its best;
  both sides are read off the evaluations during training, too.
  """

  @judging.check
  def judge(results):
    metric = results.sweep.metric
    judging.cells_of(results, a)
    rival = judging.best(results, b, metric)
    level = rival.summaries[metric].measured(metric)
    ours, theirs = (
        [(epochs, differences.weighted(((1, one), (-1, level))))
         for cell in results.matching(where) for epochs, one in lines.course(cell, metric)]
        for where in (a, b))
    # Of the best itself nothing is to be resolved.
    earliest = min((epochs for epochs, one in theirs if one.side >= 0), default=math.inf)
    latest = rival.number('epochs')
    surely, perhaps = (min((epochs for epochs, one in ours if one.side >= side), default=math.inf)
                       for side in (1, 0))
    outcome = (paper.HOLDS if factor * surely <= earliest else
               paper.FAILS if factor * perhaps > latest else paper.OPEN)
    early = [one for epochs, one in ours if factor * epochs <= latest]
    return paper.Verdict(
        outcome, f'{judging.name_of(b)} has its best, {judging.text_of(metric, rival, b)}, after '
        f'{latest:g} epochs, and is level with it from {earliest:g} on; {judging.name_of(a)} '
        + (f'is over it from {surely:g} epochs on' if surely < math.inf else
           f'is level with it from {perhaps:g} epochs on' if perhaps < math.inf else
           'does not reach it') + judging.so_far(results, a, b),
        max(early, key=lambda one: one.strength) if early else None)

  return judge
