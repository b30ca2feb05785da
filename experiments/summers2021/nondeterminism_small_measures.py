"""The five measures of some runs with errors, and what chapter 5 of Summers 2021 says of them.

An error is the jackknife's over runs: of what is left when each run, or ensemble, is left out once.
Pairs of runs share runs, so that an error over pairs would be far too small.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import math
from typing import NamedTuple

import numpy as np

from experiments.summers2021 import nondeterminism_small as small
from nfnets_am.analysis import agreement

MEASURES = agreement.MEASURES
HOLDS, FAILS, UNKNOWN = 'holds', 'does not hold', 'not resolved'
# Sources do "about the same" within this factor; the thesis' own differ by less than 1.25.
_FACTOR = 2.0


@dataclasses.dataclass(frozen=True)
class Sample:
  """Models, or ensembles of disjoint ones.

  Attributes:
    own: accuracy and cross-entropy of each, float64 [R, 2].
    pairs: disagreement, correlation and accuracy's delta of every two, float64 [3, R, R].
  """

  own: np.ndarray
  pairs: np.ndarray

  def five(self, without: int | None = None) -> np.ndarray:
    """Returns MEASURES, float64 [5], in shares and nats; of the correlation 1 less it.

    Args:
      without: number of a model that is left out.
    """
    keep = np.delete(np.arange(len(self.own)), [] if without is None else without)
    upper = np.triu_indices(len(keep), 1)
    of_pairs = [part[np.ix_(keep, keep)][upper].mean() for part in self.pairs]
    return np.array([*self.own[keep].std(0), of_pairs[0], 1 - of_pairs[1], of_pairs[2]])


class Value(NamedTuple):
  """A number with its error."""

  value: float
  error: float

  def over(self, bound: float) -> str:
    """Returns whether it is over a bound, by two errors."""
    return self._judged(self.value - bound)

  def within(self, bound: float) -> str:
    """Returns whether its size is at most a bound, by two errors."""
    return self._judged(bound - abs(self.value))

  def _judged(self, margin: float) -> str:
    if not abs(margin) > 2 * self.error:
      return UNKNOWN
    return HOLDS if margin > 0 else FAILS


def sample(logits: np.ndarray, label: np.ndarray, size: int = 1) -> Sample:
  """Returns what R models are by themselves and to each other.

  Args:
    logits: float32 [R, N, K].
    label: int [N].
    size: of ensembles, of models in a row.
  """
  models = agreement.Models(logits, size)
  count = len(models)
  own = np.array([agreement.scores(models[i], label) for i in range(count)])
  pairs = np.zeros((3, count, count))
  found = agreement.pairwise(models, label)
  for matrix, values in zip(
      pairs, (found.disagreement, found.correlation, found.top1_delta), strict=True):
    matrix[np.triu_indices(count, 1)] = values
  return Sample(own, pairs + pairs.transpose(0, 2, 1))


def jackknife(of: Callable[[int | None], np.ndarray], count: int) -> np.ndarray:
  """Returns the standard errors of a function of `count` runs, as of None and of each left out."""
  left = np.array([of(i) for i in range(count)])
  return np.sqrt((count - 1) / count * ((left - left.mean(0)) ** 2).sum(0))


def five(one: Sample) -> list[Value]:
  """Returns MEASURES with errors; of the correlation 1 less it."""
  return list(map(Value, one.five(), jackknife(one.five, len(one.own))))


def log_ratios(one: Sample, other: Sample) -> list[Value]:
  """Returns the logarithm of each measure's ratio of two samples that share no run.

  It is -inf, without an error, where the first does not vary at all.
  """
  with np.errstate(divide='ignore', invalid='ignore'):
    errors = [jackknife(lambda i, s=s: np.log(s.five(i)), len(s.own)) for s in (one, other)]
    found = np.log(one.five()) - np.log(other.five())
  return list(map(Value, found, np.where(np.isneginf(found), 0.0, np.hypot(*errors))))


def reduction(found: Sample, baseline: Sample, *, paired: bool) -> Value:
  """Returns the mean relative reduction of five measures (table 5.5).

  Args:
    found: of what is to vary less.
    baseline: of single runs.
    paired: whether both are of the same runs, one by one, so that a run is left out of both.
  """
  share = lambda a, b: 1 - float(np.mean(a / b))
  value = share(found.five(), baseline.five())
  if paired:
    return Value(value, float(jackknife(
        lambda i: share(found.five(i), baseline.five(i)), len(found.own))))
  return Value(value, math.hypot(
      jackknife(lambda i: share(found.five(i), baseline.five()), len(found.own)),
      jackknife(lambda i: share(found.five(), baseline.five(i)), len(baseline.own))))


def claims(sources: Mapping[str, Sample], onsets: Mapping[int, Sample],
           reduced: Mapping[str, Value]) -> list[list[str]]:
  """Returns rows: claim, what is compared here, its number with error, verdict.

  Args:
    sources: by small.SOURCES, those that are there.
    onsets: by the pass from which on the augmentation's seed changes, 0 too.
    reduced: what reduces variability, and by how much.
  """
  rows = []
  for source in small.SOURCES:
    if source == 'all' or not {source, 'all'} <= sources.keys():
      continue
    claim = ('One bit of one weight does about as much as all sources together' if source == 'bit'
             else 'Each source does about as much as all together')
    for measure, found in zip(MEASURES, log_ratios(sources[source], sources['all']), strict=True):
      rows.append([claim, f'{measure}: {source} to all, within a factor of {_FACTOR:g}',
                   _factor(found), found.within(math.log(_FACTOR))])
  first, last = min(small.ONSETS), max(small.ONSETS)
  if {0, first, last} <= onsets.keys():
    for measure, early, late in zip(MEASURES, log_ratios(onsets[first], onsets[0]),
                                    log_ratios(onsets[first], onsets[last]), strict=True):
      rows.append(['Variability is nearly as high when it begins after a tenth of the run',
                   f'{measure}: from pass {first} on to from the first on, over half',
                   _factor(early), early.over(-math.log(_FACTOR))])
      rows.append(['The later it begins, the less there is',
                   f'{measure}: from pass {first} on to from pass {last} on, over 1',
                   _factor(late), late.over(0)])
  for name, found in reduced.items():
    rows.append(['Ensembles, snapshots and test-time views reduce variability', f'{name}: over 0',
                 f'{100 * found.value:.0f} ± {100 * found.error:.0f}%', found.over(0)])
  return rows


def _factor(found: Value) -> str:
  return f'{math.exp(found.value):.2f} ± {math.exp(found.value) * found.error:.2f}'
