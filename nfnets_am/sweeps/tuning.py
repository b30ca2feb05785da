"""Learning rates by factors of 2, with the grid extended while the best lies on an edge.

The cells that a sweep still needs follow from the folders of its runs alone: the same folders give
the same cells, in any order and after any restart, and no cell is ever taken back.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
from typing import Any

from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

# No grid grows beyond this: what diverges at every learning rate has a fault of another kind.
MOST_VALUES = 20


def grid(centre: float, reach: int, factor: float = 2.0) -> tuple[float, ...]:
  """Returns centre * factor^k for k = -reach .. reach, ascending.

  Repeated products, so that the values of a factor of 2 are exact and print as short as the centre.
  """
  below, above = [centre], [centre]
  for _ in range(reach):
    below.append(below[-1] / factor)
    above.append(above[-1] * factor)
  return (*reversed(below), *above[1:])


def read(path: str | os.PathLike, scale: str = '', workdir: str | os.PathLike = '',
         overrides: Mapping[str, Any] | None = None,
         ) -> tuple[experiment_file.Sweep, list[experiment_file.Run]]:
  """Returns an experiment's sweep with the cells that its finished runs call for, and all its runs.

  Args:
    path: of the experiment file.
    scale: that it knows.
    workdir: of the sweep; '' adds nothing.
    overrides: dotted key -> value, for all runs.

  Raises:
    ConfigError: an unknown experiment, scale, cell or key.
  """
  sweep = experiment_file.get_sweep(path, scale)
  runs = experiment_file.get_runs(path, sweep, overrides)
  if not workdir:
    return sweep, runs
  return extend(path, sweep, runs, outcomes.Reader(workdir), overrides)


def results(path: str | os.PathLike, scale: str, reader: outcomes.Reader,
            overrides: Mapping[str, Any] | None = None) -> reduction.Results:
  """Returns an experiment's reduced runs, those that tuning has added among them; as `read`."""
  sweep = experiment_file.get_sweep(path, scale)
  runs = experiment_file.get_runs(path, sweep, overrides)
  return reduction.reduce(*extend(path, sweep, runs, reader, overrides), reader)


def extend(path: str | os.PathLike, sweep: experiment_file.Sweep,
           runs: Sequence[experiment_file.Run], reader: outcomes.Reader,
           overrides: Mapping[str, Any] | None = None,
           ) -> tuple[experiment_file.Sweep, list[experiment_file.Run]]:
  """Returns a sweep with the cells that the finished runs call for, and its runs.

  Cells that differ only in `sweep.tune` and the seed are one grid. When all runs of a grid are
  finished or diverged and its best value is the lowest or the highest, the next value by
  `sweep.tune_factor` is added with the same seeds; if its runs are done too, the same goes on from
  there. A run that diverged counts as the worst: if too few runs of every value finished, the grid
  grows downwards. A grid with a run that is missing, running, stopped or failed stays as it is, as
  its best is not known yet.

  Args:
    path: of the experiment file.
    sweep: of that file. Chosen by `sweep.selected_by(sweep.metric)`: the paper's grids are extended
      for the accuracy, not for the loss.
    runs: of the sweep.
    reader: of the sweep's workdir.
    overrides: dotted key -> value, for all runs.

  Returns:
    The sweep and its runs with more cells, behind their own; themselves if none are needed.

  Raises:
    ConfigError: `tune_factor` is not over 1, or a value of a grid is not over 0.
  """
  runs = list(runs)
  if not (sweep.tune and sweep.tune_factor):
    return sweep, runs
  if sweep.tune_factor <= 1:
    raise errors.ConfigError(f'tune_factor={sweep.tune_factor}; allowed: more than 1, or 0')
  waiting = runs
  while waiting:
    names = {_grid_name(run.cell, sweep): [] for run in waiting}
    for run in runs:
      if _grid_name(run.cell, sweep) in names:
        names[_grid_name(run.cell, sweep)].append(run)
    added: list[Mapping[str, Any]] = []
    for group in reduction.reduce(
        sweep, [run for grid in names.values() for run in grid], reader).grids:
      value = _beyond(group, sweep)
      if value is not None and len(group) < MOST_VALUES:
        added += [{**run.cell, sweep.tune: value} for run in group[0].runs]
    if not added:
      break
    sweep = dataclasses.replace(sweep, cells=(*sweep.cells, *added))
    known, runs = len(runs), experiment_file.get_runs(path, sweep, overrides, first=runs)
    waiting = runs[known:]
  return sweep, runs


def _grid_name(cell: Mapping[str, Any], sweep: experiment_file.Sweep) -> str:
  return cells_lib.cell_name({k: v for k, v in cell.items() if k not in (sweep.tune, 'seed')})


def on_edge(group: Sequence[reduction.Cell], sweep: experiment_file.Sweep) -> bool:
  """Whether the best value of a grid that is done has no neighbour on one side."""
  return _beyond(group, sweep) is not None


def _beyond(group: Sequence[reduction.Cell], sweep: experiment_file.Sweep) -> float | None:
  """Returns the value to add to a grid, or None if its best is inside or not known yet."""
  if sweep.tune not in group[0].key or not all(cell.done for cell in group):
    return None
  ordered = sorted(group, key=lambda cell: cell.key[sweep.tune])
  values = [cell.key[sweep.tune] for cell in ordered]
  if values[0] <= 0:
    raise errors.ConfigError(
        f'{sweep.tune}={values[0]} in a grid by factors of {sweep.tune_factor}; allowed: more than '
        '0')
  metric = sweep.selected_by(sweep.metric)
  scores = [cell.scores.get(metric) for cell in ordered]
  if None in scores:
    raise errors.ConfigError(
        f'{metric!r} chooses {sweep.tune}, but finished runs have no such metric; allowed: one of '
        f'{", ".join(sorted({key for cell in ordered for run in cell.runs for key in run.final}))}')
  sign = quantities.judged(metric).sign
  best = max(sign * score for score in scores)
  if best == -float('inf'):
    return values[0] / sweep.tune_factor
  where = [i for i, score in enumerate(scores) if sign * score == best]
  # Of equal ones, one inside will do.
  if any(0 < i < len(values) - 1 for i in where):
    return None
  if where[0] == 0:
    return values[0] / sweep.tune_factor
  return values[-1] * sweep.tune_factor

