"""What inference example weighing makes of runs: each at the alpha that is best for validation."""

from collections.abc import Mapping
import dataclasses
from typing import Any

from experiments.summers2021 import norm_recipes
from nfnets_am.core import quantities
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

# Close where the best weights of norms over the batch are.
ALPHAS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
VALIDATION, _TEST = norm_recipes.WEIGHED


@dataclasses.dataclass(frozen=True)
class Curve:
  """A quantity over alpha.

  Attributes:
    alphas: ascending, in [0, 1].
    key: of the quantity, such as 'top1' or 'loss'.
    shown: the evaluation whose values count.
    chosen_by: the evaluation whose best value names alpha; section 4.3 shows the same one.
    off: alpha of a norm's own inference: 0 over the batch, 1 of group norm.
  """

  alphas: tuple[float, ...] = ALPHAS
  key: str = 'top1'
  shown: str = _TEST
  chosen_by: str = VALIDATION
  off: float = 0.0

  def at(self, alpha: float) -> str:
    """Returns the metric at a weight."""
    return f'{self.shown}/{quantities.at(self.key, alpha)}'

  @property
  def metrics(self) -> tuple[str, ...]:
    """What is shown, in the order of the weights."""
    return tuple(map(self.at, self.alphas))

  @property
  def choosers(self) -> tuple[str, ...]:
    """What chooses, in that order."""
    return dataclasses.replace(self, shown=self.chosen_by).metrics

  def summaries(self, cell: reduction.Cell) -> list[differences.Difference]:
    """Returns the values of a cell by alpha, turned so that better is more."""
    return [cell.summaries[name].measured(name) for name in self.metrics]

  def tuned(self, results: reduction.Results, where: Mapping[str, Any]
            ) -> tuple[differences.Difference, differences.Difference, float]:
    """Returns a cell's value at `off`, that at the best alpha of validation, and that alpha.

    Args:
      results: of a sweep with `metrics` and `choosers`.
      where: what names the cell.

    Raises:
      judging.Unjudged: its runs are not done, or diverged.
    """
    cell = judging.best(results, where, self.at(self.off))
    sign = quantities.of(self.key).sign
    place = max(range(len(self.alphas)),
                key=lambda i: sign * cell.summaries[self.choosers[i]].mean)
    values = self.summaries(cell)
    return values[self.alphas.index(self.off)], values[place], self.alphas[place]

  def text(self, value: float) -> str:
    """Returns a value of `tuned` as it is read."""
    quantity = quantities.of(self.key)
    return quantity.text(quantity.sign * value)


TOP1 = Curve()
LOSS = Curve(key='loss')
OFF, METRICS, CHOSEN_BY = TOP1.at(0.0), TOP1.metrics, TOP1.choosers


def gains(where: Mapping[str, Any], least: float, most: float | None = None,
          curve: Curve = TOP1) -> claims.Check:
  """Weighing adds over `least`, and no more than `most`, to a cell's value; shares are under 1."""

  @judging.check
  def judge(results):
    off, on, alpha = curve.tuned(results, where)
    # One network on the same images: the error of the sum is far more than that of the gap.
    gain = differences.weighted([(1, on), (-1, off)])
    found = [gain.less(least)]
    if most is not None:
      found.append(differences.weighted([(-1, on), (1, off)]).less(-most))
    return judging.of_side(
        judging.weakest(found),
        f'{curve.text(off.value)} without and {curve.text(on.value)} at alpha {alpha:g} at '
        f'{claims.name_of(where)}')

  return judge


def gains_more(where: Mapping[str, Any], other: Mapping[str, Any], curve: Curve = TOP1
               ) -> claims.Check:
  """Weighing adds more to a cell than it adds to another."""

  @judging.check
  def judge(results):
    found, shown = [], []
    for sign, one in ((1, where), (-1, other)):
      off, on, alpha = curve.tuned(results, one)
      found += [(sign, on), (-sign, off)]
      shown.append(f'{curve.text(off.value)} without and {curve.text(on.value)} at alpha '
                   f'{alpha:g} at {claims.name_of(one)}')
    return judging.of_side(differences.weighted(found), '; '.join(shown))

  return judge


def needs_more(where: Mapping[str, Any], other: Mapping[str, Any], curve: Curve = TOP1
               ) -> claims.Check:
  """The best alpha of a cell is larger than that of another.

  An alpha may be the best where the curve does not fall short of its best by what counts: it holds
  if the other may have its best at none from the cell's on, and does not hold if the cell may have
  its best at none beyond the other's.
  """

  @judging.check
  def judge(results):
    best, perhaps, shown = [], [], []
    for one in (where, other):
      values = curve.summaries(judging.best(results, one, curve.at(curve.off)))
      place = max(range(len(values)), key=lambda i: values[i].value)
      near = [alpha for alpha, value in zip(curve.alphas, values, strict=True)
              if differences.weighted([(1, values[place]), (-1, value)]).side <= 0]
      best.append(curve.alphas[place])
      perhaps.append(near)
      shown.append(f'best at alpha {best[-1]:g}, or from {near[0]:g} to {near[-1]:g}, at '
                   f'{claims.name_of(one)}')
    outcome = (paper.HOLDS if best[0] > perhaps[1][-1] else
               paper.FAILS if perhaps[0][-1] <= best[1] else paper.OPEN)
    return paper.Verdict(outcome, '; '.join(shown))

  return judge


def near(where: Mapping[str, Any], of: float, at: float, within: float, curve: Curve = TOP1
         ) -> claims.Check:
  """At one alpha a cell is not worse than at another by more than `within`."""

  @judging.check
  def judge(results):
    cell = judging.best(results, where, curve.at(of))
    values = dict(zip(curve.alphas, curve.summaries(cell), strict=True))
    return judging.of_side(
        differences.weighted([(1, values[at]), (-1, values[of])]).less(-within),
        f'{curve.text(values[at].value)} at alpha {at:g} and {curve.text(values[of].value)} at '
        f'{of:g} at {claims.name_of(where)}')

  return judge


def beats(where: Mapping[str, Any], other: Mapping[str, Any], least: float = 0.0,
          curve: Curve = TOP1) -> claims.Check:
  """With weighing, a cell is better than another is without any, by over `least`."""

  @judging.check
  def judge(results):
    _, on, alpha = curve.tuned(results, where)
    name = f'test/{curve.key}'
    plain = judging.best(results, other, name).summaries[name].measured(name)
    return judging.of_side(
        differences.weighted([(1, on), (-1, plain)]).less(least),
        f'{curve.text(on.value)} at alpha {alpha:g} at {claims.name_of(where)}, '
        f'{curve.text(plain.value)} at {claims.name_of(other)}')

  return judge


def ahead(where: Mapping[str, Any], *others: Mapping[str, Any], least: float = 0.0,
          curve: Curve = TOP1) -> claims.Check:
  """With weighing, a cell is better than all others are with it, by over `least`."""

  @judging.check
  def judge(results):
    (_, mine, _), *theirs = [curve.tuned(results, one) for one in (where, *others)]
    shown = ', '.join(
        f'{curve.text(on.value)} at {claims.name_of(one)}' for one, on in zip(
            (where, *others), (mine, *(on for _, on, _ in theirs)), strict=True))
    return judging.of_side(judging.weakest(
        [differences.weighted([(1, mine), (-1, on)]).less(least) for _, on, _ in theirs]), shown)

  return judge
