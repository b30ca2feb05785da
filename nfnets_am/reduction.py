"""Runs to cells: what finished, what did not, means and deviations over the seeds."""

from collections.abc import Sequence
import dataclasses
import json
import math
import os
import pathlib
from typing import Any

import numpy as np

from nfnets_am import config as config_lib
from nfnets_am import experiment_file
from nfnets_am import metrics


@dataclasses.dataclass(frozen=True)
class RunResult:
  """One run as its folder tells it.

  Attributes:
    cell: the arguments of get_config.
    status: of status.json, or 'missing'.
    reason: why it stands so, or ''.
    derived: derived numbers, empty if it never started.
    final: 'split/key' -> value of the last evaluation; empty unless finished.
    history: 'split/key' -> [(update, value), ...].
  """

  cell: dict[str, Any]
  status: str
  reason: str
  derived: dict[str, Any]
  final: dict[str, float]
  history: dict[str, list[tuple[int, float]]]


@dataclasses.dataclass(frozen=True)
class Summary:
  """A metric over the finished runs of a cell.

  Attributes:
    mean: of the runs that count.
    deviation: their standard deviation, divided by their number (ddof 0).
    runs: how many count.
  """

  mean: float
  deviation: float
  runs: int


@dataclasses.dataclass(frozen=True)
class Cell:
  """The runs that differ in nothing but their seed.

  Attributes:
    key: the cell without its seed.
    runs: in the order of the sweep.
    summaries: metric -> Summary; a metric that no finished run has is missing.
  """

  key: dict[str, Any]
  runs: tuple[RunResult, ...]
  summaries: dict[str, Summary]

  @property
  def state(self) -> str:
    """What a reader must know: 'finished', or what the other runs are: '1 diverged, 1 missing'."""
    others: dict[str, int] = {}
    for run in self.runs:
      if run.status != 'finished':
        others[run.status] = others.get(run.status, 0) + 1
    return ', '.join(f'{count} {status}' for status, count in sorted(others.items())) or 'finished'


def read_run(folder: str | os.PathLike, cell: dict[str, Any]) -> RunResult:
  """Reads a run's folder; one that is not there is 'missing'."""
  folder = pathlib.Path(folder)
  status = _json(folder / 'status.json') or {'status': 'missing'}
  history: dict[str, list[tuple[int, float]]] = {}
  for line in metrics.read(folder / 'metrics.jsonl'):
    for key, value in line.items():
      if key not in ('update', 'epochs', 'split'):
        history.setdefault(f'{line["split"]}/{key}', []).append((line['update'], value))
  final = {}
  if status['status'] == 'finished':
    final = {key: points[-1][1] for key, points in history.items()
             if points[-1][0] == status['updates']}
  return RunResult(
      cell=cell, status=status['status'], reason=status.get('reason', ''),
      derived=(_json(folder / 'run.json') or {}).get('derived', {}), final=final, history=history)


def summarise(values: Sequence[float], metric: str, best_of: int = 0) -> Summary:
  """Reduces the runs of one cell to a mean.

  Args:
    values: one for each finished run; not empty.
    metric: names ending in 'loss' are best when low.
    best_of: how many of the best runs count (Fort et al. 2021: 5 of 7); 0 is all. With fewer runs
      than that, all count.
  """
  ordered = sorted(values, reverse=not metric.endswith('loss'))
  kept = np.array(ordered[:best_of or None])
  return Summary(mean=float(kept.mean()), deviation=float(kept.std()), runs=len(kept))


def reduce(sweep: experiment_file.Sweep, runs: Sequence[experiment_file.Run],
           workdir: str | os.PathLike) -> list[Cell]:
  """Returns the cells of a sweep in its order.

  Args:
    sweep: says what is measured.
    runs: of experiment_file.get_runs; those that differ in their cell's 'seed' are one cell.
    workdir: of the sweep.
  """
  groups: dict[str, list[RunResult]] = {}
  for run in runs:
    groups.setdefault(config_lib.cell_name(_without_seed(run.cell)), []).append(
        read_run(pathlib.Path(workdir) / run.name, dict(run.cell)))
  cells = []
  for group in groups.values():
    summaries = {}
    for metric in (sweep.metric, *sweep.others):
      values = [run.final[metric] for run in group if metric in run.final]
      if values:
        summaries[metric] = summarise(values, metric, sweep.best_of)
    cells.append(Cell(_without_seed(group[0].cell), tuple(group), summaries))
  return cells


def tune(cells: Sequence[Cell], key: str, metric: str) -> list[Cell]:
  """Keeps, of the cells that differ only in `key`, the one whose mean of `metric` is best.

  Each metric has a best of its own (Fort et al. 2021, Figure 2: the accuracy at the learning rate
  that maximises it, the training loss at the one that minimises that). A group without a finished
  run keeps its first cell.
  """
  groups: dict[str, list[Cell]] = {}
  for cell in cells:
    rest = {k: v for k, v in cell.key.items() if k != key}
    groups.setdefault(config_lib.cell_name(rest), []).append(cell)
  kept = []
  for group in groups.values():
    known = [cell for cell in group if metric in cell.summaries]
    best = min if metric.endswith('loss') else max
    kept.append(best(known, key=lambda cell: cell.summaries[metric].mean) if known else group[0])
  return kept


def mean_history(cell: Cell, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
  """Returns (updates [T], mean [T], deviation [T]) of a metric over a cell's finished runs."""
  curves = [dict(run.history[metric]) for run in cell.runs
            if run.status == 'finished' and metric in run.history]
  updates = sorted(set.intersection(*map(set, curves))) if curves else []
  if not updates:
    return np.zeros(0), np.zeros(0), np.zeros(0)
  values = np.array([[curve[update] for update in updates] for curve in curves])
  return np.array(updates), values.mean(axis=0), values.std(axis=0)


def views_in_total(cell: Cell) -> float:
  """Returns the views that a run of the cell trains on, which its compute follows; or NaN."""
  derived = next((run.derived for run in cell.runs if run.derived), None)
  return derived['views'] * derived['updates'] if derived else math.nan


def _without_seed(cell: Any) -> dict[str, Any]:
  return {key: value for key, value in cell.items() if key != 'seed'}


def _json(path: pathlib.Path) -> Any | None:
  try:
    return json.loads(path.read_text())
  except FileNotFoundError:
    return None
