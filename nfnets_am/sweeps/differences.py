"""A difference that a verdict rests on, with what it could have been by chance.

Two things make it uncertain. Seeds: another seed gives another network. The test set: other images
of the same kind would give a share p of N examples another value, by sqrt(p (1 - p) / N), however
many seeds there are. Predictions are not kept, so of two networks on the same images the errors are
added as if the images were others, which is the larger of the two readings.
"""

from collections.abc import Iterable
import dataclasses
import math

# Standard errors from 0 at which a difference counts.
COUNTS = 2
# A difference of so many standard errors would count in four of five repetitions: 0.84 is the
# normal distribution's quantile of 0.8.
SEEN = COUNTS + 0.84


@dataclasses.dataclass(frozen=True)
class Difference:
  """One number that a claim rests on; over 0 speaks for it.

  Attributes:
    value: in units of the metric, turned so that better is over 0.
    seeds: its standard error over the seeds; None if any part of it is a single run.
    sampling: its standard error over test sets; 0 for what is no share of examples.
    runs: the fewest runs that one of its parts rests on; 0 if none is ours.
    metric: whose quantity says how it is read.
  """

  value: float
  seeds: float | None
  sampling: float
  runs: int
  metric: str

  @property
  def error(self) -> float:
    """The standard error of both kinds, as far as it is known; infinite if nothing is."""
    if self.seeds is None and not self.sampling:
      return math.inf
    return math.hypot(self.seeds or 0.0, self.sampling)

  @property
  def seen(self) -> float:
    """The difference that would count in four of five repetitions, with as many seeds."""
    return SEEN * self.error

  @property
  def side(self) -> int:
    """1 if it counts for the claim, -1 against it, 0 if it is not resolved."""
    if abs(self.value) == math.inf:
      return 1 if self.value > 0 else -1
    if abs(self.value) <= COUNTS * self.error:
      return 0
    return 1 if self.value > 0 else -1

  @property
  def strength(self) -> float:
    """The difference in standard errors: of several that must all count, the least decides."""
    return self.value / self.error if self.error else math.copysign(math.inf, self.value or -1)

  def less(self, margin: float) -> 'Difference':
    """Returns it less an amount that it must exceed, in units of the metric."""
    return dataclasses.replace(self, value=self.value - margin)


def weighted(terms: Iterable[tuple[float, Difference]]) -> Difference:
  """Returns a weighted sum of differences of independent networks.

  Raises:
    ValueError: there is none.
  """
  terms = list(terms)
  parts = [part for _, part in terms]
  unknown = any(part.seeds is None for part in parts)
  return Difference(
      sum(weight * part.value for weight, part in terms),
      None if unknown else math.hypot(*(weight * part.seeds for weight, part in terms)),
      math.hypot(*(weight * part.sampling for weight, part in terms)),
      min(part.runs for part in parts), parts[0].metric)
