"""A sweep in two stages: many copies of a cell begin, the best few of them go on to the end.

So is noise between runs, or a rate at which some of them fail, kept out of a mean by a rule that is
said before. Summers (2021, sec. 2.4) trains 20 copies for 3 epochs, goes on with the 3 that have
the lowest training loss, and reports their mean. Who decides is selection.py.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

from nfnets_am.core import durations
from nfnets_am.core import errors
from nfnets_am.core import quantities


@dataclasses.dataclass(frozen=True)
class Selection:
  """Which copies of a cell, runs that differ in nothing but their seed, go on.

  Attributes:
    keep: how many.
    until: a duration, the first stage: '3 epochs'.
    metric: that the best are the best of, 'split/key' of metrics.jsonl: its last value up to the
      end of the stage. A copy that diverged before is not kept.
  """

  keep: int
  until: str
  metric: str = 'train_views/loss'

  def __post_init__(self):
    """Raises ConfigError for a key that is wrong whatever the runs are."""
    if self.keep < 1:
      raise errors.ConfigError(f'stages.keep={self.keep}; allowed: a whole number from 1 up')
    if durations.parse('stages.until', self.until)[0] <= 0:
      raise errors.ConfigError(f'stages.until={self.until!r}; allowed: more than nothing')
    quantities.judged(self.metric)

  def updates(self, copies: int, first: int, whole: int) -> int:
    """Returns the updates of all copies of a cell together.

    Args:
      copies: how many begin.
      first: updates of the first stage.
      whole: of a run that goes on.
    """
    first = min(first, whole)
    return copies * first + min(self.keep, copies) * (whole - first)


def end(until: str, derived: Mapping[str, Any]) -> int:
  """Returns the update after which a stage of a run ends, as `nfnets_am.train --until` takes it.

  Args:
    until: the duration.
    derived: numbers of the run, of run.json.
  """
  update = durations.to_updates(
      'stages.until', until, updates_per_epoch=derived['updates_per_epoch'],
      views=derived['views'], budget=derived['updates'])
  return min(max(1, round(update)), derived['updates'])
