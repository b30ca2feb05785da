"""Two-sample t-tests between the runs of two cells, as section 4.3.3 of Summers 2021 has them.

The thesis does not name its test. Here it is Student's, two-sided, of equal variances [C].
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from nfnets_am.core import quantities
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

# Below it a difference is significant.
LEVEL = 0.05


def differs(a: Mapping[str, Any], b: Mapping[str, Any], sign: int) -> claims.Check:
  """The runs of a cell are better than those of another (1), worse (-1), or neither (0).

  A significant difference of the other sign speaks against 1 and -1, any against 0. That none is
  significant holds for 0, as the thesis says no more, and leaves 1 and -1 open.
  """

  @judging.check
  def judge(results):
    metric = results.sweep.metric
    first, second = (_values(results, where, metric) for where in (a, b))
    if min(len(first), len(second)) < 2:
      raise judging.Unjudged(paper.OPEN, f'{len(first)} and {len(second)} runs: no test')
    quantity = quantities.of(metric)
    gap = quantity.sign * float(np.mean(first) - np.mean(second))
    p = float(stats.ttest_ind(first, second).pvalue)
    side = 0 if not p < LEVEL else 1 if gap > 0 else -1
    outcome = (paper.HOLDS if side == sign else
               paper.OPEN if side == 0 else paper.FAILS)
    return paper.Verdict(
        outcome, f'{quantity.text(float(np.mean(first)))} at {claims.name_of(a)}, '
        f'{quantity.text(float(np.mean(second)))} at {claims.name_of(b)}, P = {p:.2g}'
        + judging.so_far(results, a, b))

  return judge


def _values(results: reduction.Results, where: Mapping[str, Any], metric: str) -> list[float]:
  return [run.final[metric] for cell in judging.cells_of(results, where) for run in cell.runs
          if run.counts and metric in run.final]
