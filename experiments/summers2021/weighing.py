"""What inference example weighing makes of runs: each at the alpha that is best for validation."""

from collections.abc import Mapping
from typing import Any

from experiments.summers2021 import norm_recipes
from nfnets_am.core import quantities
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import reduction

# Close where the best weights of norms over the batch are.
ALPHAS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0)
_VALIDATION, _TEST = norm_recipes.WEIGHED


def metric(name: str, alpha: float) -> str:
  """Returns the metric of an evaluation at a weight."""
  return f'{name}/{quantities.at("top1", alpha)}'


OFF = metric(_TEST, 0.0)
METRICS = tuple(metric(_TEST, alpha) for alpha in ALPHAS)
CHOSEN_BY = tuple(metric(_VALIDATION, alpha) for alpha in ALPHAS)


def tuned(results: reduction.Results, where: Mapping[str, Any]
          ) -> tuple[differences.Difference, differences.Difference, float]:
  """Returns a cell's accuracy without weighing, with the best alpha of validation, and that alpha.

  Args:
    results: of a sweep with METRICS and CHOSEN_BY.
    where: what names the cell.

  Returns:
    The two accuracies as shares with their errors, and alpha in [0, 1].

  Raises:
    judging.Unjudged: its runs are not done, or diverged.
  """
  cell = judging.best(results, where, OFF)
  place = max(range(len(ALPHAS)), key=lambda i: cell.summaries[CHOSEN_BY[i]].mean)
  of = lambda name: cell.summaries[name].measured(name)
  return of(OFF), of(METRICS[place]), ALPHAS[place]


def gains(where: Mapping[str, Any], least: float, most: float = 1.0) -> claims.Check:
  """Weighing adds from `least` to `most` to a cell's accuracy, as shares."""

  @judging.check
  def judge(results):
    off, on, alpha = tuned(results, where)
    # One network on the same images: the error of the sum is far more than that of the gap.
    gain = differences.weighted([(1, on), (-1, off)])
    under = differences.weighted([(-1, on), (1, off)])
    return judging.of_side(
        judging.weakest([gain.less(least), under.less(-most)]),
        f'{100 * off.value:.1f}% without and {100 * on.value:.1f}% at alpha {alpha:g} at '
        f'{claims.name_of(where)}')

  return judge


def beats(where: Mapping[str, Any], other: Mapping[str, Any], least: float = 0.0) -> claims.Check:
  """With weighing, a cell is better than another is without any, by over `least` as a share."""

  @judging.check
  def judge(results):
    _, on, alpha = tuned(results, where)
    plain = judging.best(results, other, 'test/top1').summaries['test/top1'].measured('test/top1')
    return judging.of_side(
        differences.weighted([(1, on), (-1, plain)]).less(least),
        f'{100 * on.value:.1f}% at alpha {alpha:g} at {claims.name_of(where)}, '
        f'{100 * plain.value:.1f}% at {claims.name_of(other)}')

  return judge


def ahead(where: Mapping[str, Any], *others: Mapping[str, Any]) -> claims.Check:
  """With weighing, a cell is better than all others are with it."""

  @judging.check
  def judge(results):
    (_, mine, _), *theirs = [tuned(results, one) for one in (where, *others)]
    shown = ', '.join(
        f'{100 * on.value:.1f}% at {claims.name_of(one)}' for one, on in zip(
            (where, *others), (mine, *(on for _, on, _ in theirs)), strict=True))
    return judging.of_side(judging.weakest(
        [differences.weighted([(1, mine), (-1, on)]) for _, on, _ in theirs]), shown)

  return judge
