"""What inference example weighing makes of runs: each at the alpha that is best for validation."""

from collections.abc import Mapping
from typing import Any

from experiments.summers2021 import norm_recipes
from nfnets_am.core import quantities
from nfnets_am.reporting import claims
from nfnets_am.sweeps import paper
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
          ) -> tuple[float, float, float] | None:
  """Returns a cell's accuracy without weighing, with the best alpha of validation, and that alpha.

  Args:
    results: of a sweep with METRICS and CHOSEN_BY.
    where: what names the cell.

  Returns:
    (share, share, alpha), the means over runs; None while there are none.
  """
  cell = results.best(where)
  if cell is None or any(name not in cell.summaries for name in (*METRICS, *CHOSEN_BY)):
    return None
  mean = lambda name: cell.summaries[name].mean
  place = max(range(len(ALPHAS)), key=lambda i: mean(CHOSEN_BY[i]))
  return mean(OFF), mean(METRICS[place]), ALPHAS[place]


def gains(where: Mapping[str, Any], least: float, most: float = 1.0) -> claims.Check:
  """Weighing adds from `least` to `most` to a cell's accuracy, as shares."""

  def check(results):
    found = tuned(results, where)
    if found is None:
      return paper.Verdict(None, f'{claims.name_of(where)} is not done')
    off, on, alpha = found
    return paper.Verdict(
        least <= on - off <= most, f'{100 * off:.1f}% without and {100 * on:.1f}% at alpha '
        f'{alpha:g} at {claims.name_of(where)}')

  return check


def beats(where: Mapping[str, Any], other: Mapping[str, Any], least: float = 0.0) -> claims.Check:
  """With weighing, a cell is better than another is without any, by over `least` as a share."""

  def check(results):
    found, cell = tuned(results, where), results.best(other, 'test/top1')
    if found is None or cell is None:
      missing = claims.name_of(where if found is None else other)
      return paper.Verdict(None, f'{missing} is not done')
    plain = cell.summaries['test/top1'].mean
    return paper.Verdict(
        found[1] - plain > least, f'{100 * found[1]:.1f}% at alpha {found[2]:g} at '
        f'{claims.name_of(where)}, {100 * plain:.1f}% at {claims.name_of(other)}')

  return check


def ahead(where: Mapping[str, Any], *others: Mapping[str, Any]) -> claims.Check:
  """With weighing, a cell is better than all others are with it."""

  def check(results):
    found = [tuned(results, one) for one in (where, *others)]
    if None in found:
      return paper.Verdict(None, f'{found.count(None)} of {len(found)} rows are not done')
    shown = ', '.join(f'{100 * on:.1f}% at {claims.name_of(one)}'
                      for one, (_, on, _) in zip((where, *others), found, strict=True))
    return paper.Verdict(all(found[0][1] > on for _, on, _ in found[1:]), shown)

  return check
