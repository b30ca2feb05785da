"""Two cells, and two gaps between cells."""

from nfnets_am.core import quantities
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import paper

Pair = tuple[judging.Where, judging.Where]


def better(a: judging.Where, b: judging.Where, metric: str = '', by: float = 0.0
           ) -> judging.Check:
  """The best of `a` is better than the best of `b`, by more than `by`, as the metric is read."""

  @judging.check
  def judge(results):
    key = metric or results.sweep.metric
    x, y = (judging.best(results, where, key) for where in (a, b))
    found = judging.contrast(key, (1, x), (-1, y)).less(by / quantities.of(key).scale)
    return judging.of_side(
        found, f'{judging.text_of(key, x, a)}; {judging.text_of(key, y, b)}'
        + judging.so_far(results, a, b))

  return judge


def worse(a: judging.Where, b: judging.Where, metric: str = '') -> judging.Check:
  """The best of `a` is worse than the best of `b`."""
  return better(b, a, metric)


def not_worse(a: judging.Where, b: judging.Where, within: float, metric: str = ''
              ) -> judging.Check:
  """The best of `a` is better than that of `b`, or worse by less than `within`, as it is read."""
  return better(a, b, metric, by=-within)


def smaller_gap(near: Pair, far: Pair, either_way: bool = False) -> judging.Check:
  """What the first of `near` is better by than the second is less than that of `far`.

  Args:
    near, far: two cells each.
    either_way: a gap of `near` the other way must be less, too.
  """

  @judging.check
  def judge(results):
    metric = results.sweep.metric
    quantity = quantities.of(metric)
    (a, b), (c, d) = (
        [judging.best(results, where, metric) for where in pair] for pair in (near, far))
    found = [judging.contrast(metric, (1, c), (-1, d), (-sign, a), (sign, b))
             for sign in ((1, -1) if either_way else (1,))]
    gaps = [quantity.text(judging.contrast(metric, (1, x), (-1, y)).value)
            for x, y in ((a, b), (c, d))]
    names = [f'{judging.name_of(first)} over {judging.name_of(second)}'
             for first, second in (near, far)]
    return judging.of_side(
        judging.weakest(found),
        '; '.join(f'{gap} for {name}' for gap, name in zip(gaps, names, strict=True))
        + judging.so_far(results, *near, *far))

  return judge


def within_factor(a: judging.Where, b: judging.Where, factor: float, metric: str = ''
                  ) -> judging.Check:
  """The bests of `a` and `b` differ by less than a factor, for quantities over 0."""

  @judging.check
  def judge(results):
    key = metric or results.sweep.metric
    x, y = (judging.best(results, where, key) for where in (a, b))
    sign = quantities.of(key).sign
    # Whichever is the larger one is less than a factor of the other.
    found = judging.weakest([judging.contrast(key, (sign * factor, one), (-sign, other))
                             for one, other in ((x, y), (y, x))])
    ratio = x.summaries[key].mean / y.summaries[key].mean
    return paper.Verdict(
        judging.of_side(found, '').outcome,
        f'{ratio:.2f} times as much at {judging.name_of(a)} as at {judging.name_of(b)}'
        + judging.so_far(results, a, b), found)

  return judge
