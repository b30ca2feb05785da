"""Which copies of a cell go on after a stage, from the folders of its runs alone.

What decides are lines of metrics up to the end of the stage, which no later update changes: the
same copies are kept whoever asks, and however far those have gone on since.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import enum
import os
from typing import Any
from typing import NamedTuple

from etils import epath

from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import stages


class Way(enum.IntEnum):
  """What becomes of a copy; the more is left to run, the higher."""
  DROPPED = 0  # Stays where it is.
  BEGINS = 1  # Runs to the end of the stage.
  GOES_ON = 2  # Runs to its own end.


class Fate(NamedTuple):
  """What becomes of a copy, and why it is not selected."""
  way: Way
  reason: str = ''


def copies(runs: Sequence[experiment_file.Run]) -> list[list[experiment_file.Run]]:
  """Gathers the runs that differ in nothing but their cell's 'seed', in the order of the first."""
  groups: dict[str, list[experiment_file.Run]] = {}
  for run in runs:
    groups.setdefault(name_of(run.cell), []).append(run)
  return list(groups.values())


def name_of(cell: Mapping[str, Any]) -> str:
  """Returns the name that all copies of a cell have."""
  return cells_lib.cell_name({key: value for key, value in cell.items() if key != 'seed'})


def reached(run: outcomes.RunResult, until: str) -> bool:
  """Whether a run has come to the end of a stage, or diverged; its checkpoint is then written."""
  if run.status == 'diverged':
    return True
  if run.status in ('missing', outcomes.OTHER) or not run.derived:
    return False
  end = stages.end(until, run.derived)
  if run.update >= end:
    return True
  # A run that failed or was killed later has no update in its status. A line of metrics at the end
  # itself may be older than the checkpoint there.
  if any(values[-1][0] > end for values in run.history.values()):
    return True
  folder = epath.Path(run.folder) / 'checkpoints'
  return folder.is_dir() and any(
      int(path.name) >= end for path in folder.iterdir() if path.name.isdigit())


def fates(stage: stages.Selection | None, runs: Sequence[outcomes.RunResult]) -> list[Fate]:
  """Returns what becomes of each copy of a cell.

  Without a stage, or with no more copies than are kept, all go on. Until all have reached the end
  of the stage, all begin. If all of them diverged, that is what the cell came to, and none is
  dropped. Of equal values the first in the order of the sweep is the better.

  Raises:
    ConfigError: a copy has no such metric up to the end of the stage.
  """
  if stage is None or len(runs) <= stage.keep:
    return [Fate(Way.GOES_ON)] * len(runs)
  if not all(reached(run, stage.until) for run in runs):
    return [Fate(Way.BEGINS)] * len(runs)
  values = {i: _value(stage, run) for i, run in enumerate(runs) if not _diverged(stage, run)}
  if not values:
    return [Fate(Way.GOES_ON)] * len(runs)
  quantity = quantities.of(stage.metric)
  ranked = sorted(values, key=lambda i: (-quantity.sign * values[i], i))
  found = [Fate(Way.DROPPED, run.reason) for run in runs]
  for place, i in enumerate(ranked):
    found[i] = Fate(Way.GOES_ON) if place < stage.keep else Fate(
        Way.DROPPED, f'{stage.metric} {quantity.text(values[i])} at {stage.until}, place '
        f'{place + 1} of {len(runs)}')
  return found


def apply(stage: stages.Selection | None, runs: Sequence[outcomes.RunResult]
          ) -> tuple[tuple[outcomes.RunResult, ...], str]:
  """Returns the copies of a cell as they count, and in words what was selected; '' without a stage.

  A copy that is not selected has the status NOT_SELECTED and no numbers, however far it was
  trained; before the selection none counts.
  """
  found = fates(stage, runs)
  if all(fate.way is Way.GOES_ON for fate in found):
    return tuple(runs), ''
  if found[0].way is Way.BEGINS:
    there = sum(reached(run, stage.until) for run in runs)
    return (tuple(dataclasses.replace(run, counts=False) for run in runs),
            f'{there} of {len(runs)} have reached {stage.until}, of which {stage.keep} will go on')
  kept = sum(fate.way is Way.GOES_ON for fate in found)
  diverged = sum(_diverged(stage, run) for run in runs)
  return tuple(
      run if fate.way is Way.GOES_ON else dataclasses.replace(
          run, status=outcomes.NOT_SELECTED, reason=fate.reason, final={}, counts=False)
      for run, fate in zip(runs, found, strict=True)), (
          f'{kept} of {len(runs)} kept by {stage.metric} at {stage.until}'
          + (f', {diverged} diverged before' if diverged else ''))


def _diverged(stage: stages.Selection, run: outcomes.RunResult) -> bool:
  """Whether it diverged within the stage: what comes later must not change who was kept."""
  return run.status == 'diverged' and not (
      run.derived and run.update > stages.end(stage.until, run.derived))


def _value(stage: stages.Selection, run: outcomes.RunResult) -> float:
  end = stages.end(stage.until, run.derived)
  found = [value for update, value in run.history.get(stage.metric, ()) if update <= end]
  if not found:
    raise errors.ConfigError(
        f'{os.path.basename(run.folder)} has no {stage.metric} up to {stage.until}, by which its '
        f'copies are selected; allowed: a metric that is written at least every {end} updates, see '
        'log_every and eval_every')
  return found[-1]
