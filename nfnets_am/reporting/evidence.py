"""What stands beside a verdict: how large the difference is, and what it could be by chance."""

from nfnets_am.core import quantities
from nfnets_am.reporting.claims import thresholds
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

HEADER = ('difference', 'runs', 'seed error', 'test set error', 'could be seen')
RULE = (
    'A difference counts if it is over twice its standard error: over the seeds (a single run has '
    'none that is known) and over test sets, sqrt(p (1 - p) / N) for each network, added as if the '
    'two saw different images, since predictions are not kept. What does not count is not '
    'resolved. A true difference of the size "could be seen" would count in four of five '
    'repetitions. Accuracies are in points.')
NUMBERS_RULE = (
    "Epsilon was said before there were runs. Ours is above or below the paper's number if it "
    'differs by more than epsilon and counts, within it if it does not and a difference of epsilon '
    'would count, else not resolved.')


def columns(found: differences.Difference | None) -> list[str]:
  """Returns the texts of HEADER, as the metric is read; of nothing, nothing."""
  if found is None:
    return [''] * len(HEADER)
  return [signed(found), str(found.runs),
          'unknown' if found.seeds is None else _size(found, found.seeds),
          _size(found, found.sampling) if found.sampling else 'none',
          'unknown' if found.error == float('inf') else _size(found, found.seen)]


def signed(found: differences.Difference) -> str:
  """Returns '+0.20', as the metric is read: less of a loss is under 0."""
  quantity = quantities.of(found.metric)
  return f'{quantity.sign * quantity.scale * found.value:+{quantity.digits}}'


def _size(found: differences.Difference, value: float) -> str:
  quantity = quantities.of(found.metric)
  return f'{quantity.scale * value:{quantity.digits}}'


def from_printed(cell: reduction.Cell, number: paper.Number) -> differences.Difference:
  """Returns a cell's mean less a printed number, which others measured on the same test set."""
  theirs = thresholds.printed_as(cell, number.metric, number.value, number.uncertainty or 0.0)
  return differences.weighted(
      ((1, cell.summaries[number.metric].measured(number.metric)), (-1, theirs)))


def beside(found: differences.Difference, epsilon: float) -> str:
  """Returns whether ours is above, within or below, or that it is not resolved.

  Args:
    found: ours less the paper's.
    epsilon: as the metric is read.
  """
  quantity = quantities.of(found.metric)
  epsilon /= quantity.scale
  noise = differences.COUNTS * found.error
  if abs(found.value) > max(epsilon, noise):
    return paper.ABOVE if quantity.sign * found.value > 0 else paper.BELOW
  return paper.WITHIN if noise <= epsilon else paper.OPEN
