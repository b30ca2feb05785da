"""Checks of how much runs vary: a row of chapter 5 against another, with the errors of both.

A row is one cell that measures many runs, and says its own errors: the bootstrap's of a deviation,
the jackknife's of a mean over pairs (nfnets_am/analysis/agreement.py). Of the correlation it is 1
less it that varies, as in table 5.5. The errors of two rows are added as if no run were in both:
for views of the same runs, that is the larger of the two readings.
"""

from collections.abc import Sequence

from experiments.summers2021 import chapter5
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction


def alike(where: claims.Where, other: claims.Where, factor: float,
          metrics: Sequence[str] = chapter5.METRICS) -> claims.Check:
  """Two rows vary by less than a factor more or less than each other, by each measure.

  Args:
    where, other: what names one cell each.
    factor: over 1.
    metrics: of a line.
  """
  return claims.all_of(*(
      _judged(where, other, f'single/{metric}', f'single/{metric}',
              lambda x, y: judging.weakest([differences.weighted([(factor, one), (-1, two)])
                                            for one, two in ((x, y), (y, x))]))
      for metric in metrics))


def below(where: claims.Where, other: claims.Where, factor: float = 1,
          metrics: Sequence[str] = chapter5.METRICS, line: str = 'single') -> claims.Check:
  """A row varies less than another, `factor` times as little, by each measure.

  Args:
    where, other: what names one cell each.
    factor: at least 1.
    metrics: of a line.
    line: of the first row, such as 'ensemble2'.
  """
  return claims.all_of(*(
      _judged(where, other, f'{line}/{metric}', f'single/{metric}',
              lambda x, y: differences.weighted([(1, y), (-factor, x)]))
      for metric in metrics))


def not_below(where: claims.Where, other: claims.Where, factor: float,
              metrics: Sequence[str] = chapter5.METRICS) -> claims.Check:
  """A row does not vary `factor` times as little as another, or less, by any measure.

  Args:
    where, other: what names one cell each.
    factor: over 1.
    metrics: of a line.
  """
  return claims.all_of(*(
      _judged(where, other, f'single/{metric}', f'single/{metric}',
              lambda x, y: differences.weighted([(factor, x), (-1, y)]))
      for metric in metrics))


def variability(results: reduction.Results, where: claims.Where, metric: str
                ) -> differences.Difference:
  """Returns what a row says, more where runs vary more, with its error.

  Raises:
    judging.Unjudged: it is not measured.
    ValueError: several cells are meant.
  """
  cells = judging.cells_of(results, where)
  if len(cells) > 1:
    raise ValueError(f'{len(cells)} cells have {claims.name_of(where)}')
  found = next(run.final for run in cells[0].runs if run.done)
  if metric not in found:
    raise judging.Unjudged(paper.NOT_RUN, f'{metric} is not measured at {claims.name_of(where)}')
  value = 1 - found[metric] if metric.endswith('/correlation') else found[metric]
  return differences.Difference(
      value, found.get(f'{metric}_error'), 0.0, int(found.get('single/models', 0)), metric)


def _judged(where, other, of_where, of_other, difference) -> claims.Check:

  @judging.check
  def judge(results):
    x, y = (variability(results, *one) for one in ((where, of_where), (other, of_other)))
    ratio = f'{x.value / y.value:.2g}' if y.value else '1' if not x.value else 'infinitely'
    line, _, name = of_where.partition('/')
    named = claims.name_of(where) + ('' if line == 'single' else f', {line}')
    return judging.of_side(difference(x, y), f'{name}: {ratio} times as much at {named} as at '
                           f'{claims.name_of(other)}')

  return judge
