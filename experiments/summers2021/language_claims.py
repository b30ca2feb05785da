"""Checks of tables 5.2 and B.3 of Summers 2021, whose rows are one measure of many runs each.

A row has errors of its own: of a deviation the bootstrap's, of a mean perplexity that over its
runs, of disagreement that over as many other tokens.
"""

import math

from nfnets_am.core import quantities
from nfnets_am.reporting import claims
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper


def near(a: claims.Where, b: claims.Where, factor: float) -> claims.Check:
  """The deviations of perplexity of two rows differ by less than a factor."""

  @judging.check
  def judge(results):
    (x, xe), (y, ye) = (_deviation(results, where) for where in (a, b))
    small, large = ((x, xe), (y, ye)) if x < y else ((y, ye), (x, xe))
    margin = factor * small[0] - large[0]
    found = differences.Difference(
        margin, None, math.hypot(factor * small[1], large[1]), 1, 'single/perplexity_sd')
    return judging.of_side(found, f'{x:.3f} at {judging.name_of(a)}, {y:.3f} at '
                           f'{judging.name_of(b)}' + judging.so_far(results, a, b))

  return judge


def lower(a: claims.Where, b: claims.Where, key: str) -> claims.Check:
  """The mean perplexity, or the disagreement (`key`), of row `a` is lower than that of `b`."""

  @judging.check
  def judge(results):
    metric = f'single/{key}'
    (x, xe), (y, ye) = (_ERRORS[key](results, where) for where in (a, b))
    found = differences.Difference(y - x, None, math.hypot(xe, ye), 1, metric)
    text = quantities.of(metric).text
    return judging.of_side(found, f'{text(x)} at {judging.name_of(a)}, {text(y)} at '
                           f'{judging.name_of(b)}' + judging.so_far(results, a, b))

  return judge


def _values(results, where, *keys):
  (cell,) = judging.cells_of(results, where)
  lacking = [key for key in keys if f'single/{key}' not in cell.summaries]
  if lacking:
    raise judging.Unjudged(paper.NOT_RUN, f'{judging.name_of(where)} has not been measured')
  return [cell.summaries[f'single/{key}'].mean for key in keys]


def _deviation(results, where):
  return tuple(_values(results, where, 'perplexity_sd', 'perplexity_sd_error'))


def _perplexity(results, where):
  mean, deviation, models = _values(results, where, 'perplexity', 'perplexity_sd', 'models')
  return mean, deviation / math.sqrt(models - 1)


def _disagreement(results, where):
  share, tokens = _values(results, where, 'disagreement', 'tokens')
  return share, math.sqrt(share * (1 - share) / tokens)


_ERRORS = {'perplexity': _perplexity, 'disagreement': _disagreement}
OTHERS = ('single/disagreement', 'single/perplexity_delta', 'single/perplexity',
          'single/perplexity_sd_error', 'single/models', 'single/tokens', 'test/ema_perplexity',
          'test/perplexity')
