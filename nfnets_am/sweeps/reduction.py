"""Runs to cells: what finished, what did not, means and deviations over the seeds."""

from collections.abc import Sequence
import dataclasses
import json
import math
import os
from typing import Any

from etils import epath
import numpy as np

from nfnets_am.config import cells as cells_lib
from nfnets_am.storage import metrics
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import experiment_file


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

  @property
  def done(self) -> bool:
    """Whether it has come to an end of its own: finished or diverged."""
    return self.status in run_folder.DONE


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
    scores: metric -> what the cell is chosen by: the mean of the runs that count, of which a
      diverged one has the worst value there is; a metric without a run that is done is missing.
  """

  key: dict[str, Any]
  runs: tuple[RunResult, ...]
  summaries: dict[str, Summary]
  scores: dict[str, float]

  @property
  def done(self) -> bool:
    """Whether every run is done."""
    return all(run.done for run in self.runs)

  @property
  def state(self) -> str:
    """What a reader must know: 'finished', or what the other runs are: '1 diverged, 1 missing'."""
    return state_of(self.runs)


def state_of(runs: Sequence[RunResult]) -> str:
  """Returns 'finished', or what the runs are that did not: '1 diverged, 1 missing'."""
  others: dict[str, int] = {}
  for run in runs:
    if run.status != 'finished':
      others[run.status] = others.get(run.status, 0) + 1
  return ', '.join(f'{count} {status}' for status, count in sorted(others.items())) or 'finished'


def read_run(folder: str | os.PathLike, cell: dict[str, Any]) -> RunResult:
  """Reads a run's folder; one that is not there is 'missing'."""
  folder = epath.Path(folder)
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


def lower_is_better(metric: str) -> bool:
  """Whether a metric is a loss; all others are shares that are best when high."""
  return metric.endswith('loss')


def summarise(values: Sequence[float], metric: str, best_of: int = 0) -> Summary:
  """Reduces the runs of one cell to a mean.

  Args:
    values: one for each finished run; not empty.
    metric: names ending in 'loss' are best when low.
    best_of: how many of the best runs count (Fort et al. 2021: 5 of 7); 0 is all. With fewer runs
      than that, all count.
  """
  kept = np.array(_counting(values, metric, best_of))
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
    groups.setdefault(cells_lib.cell_name(_without_seed(run.cell)), []).append(
        read_run(epath.Path(workdir) / run.name, dict(run.cell)))
  cells = []
  for group in groups.values():
    summaries, scores = {}, {}
    metrics_shown = (sweep.metric, *sweep.others)
    for metric in {*metrics_shown, *map(sweep.selected_by, metrics_shown)}:
      values = [run.final[metric] for run in group if metric in run.final]
      if values:
        summaries[metric] = summarise(values, metric, sweep.best_of)
      values += [_worst(metric)] * sum(run.status == 'diverged' for run in group)
      if values:
        scores[metric] = float(np.mean(_counting(values, metric, sweep.best_of)))
    cells.append(Cell(_without_seed(group[0].cell), tuple(group), summaries, scores))
  return cells


def groups_of(cells: Sequence[Cell], key: str) -> list[list[Cell]]:
  """Gathers the cells that differ in nothing but `key`; cells without it are groups of one."""
  groups: dict[str, list[Cell]] = {}
  for cell in cells:
    rest = {k: v for k, v in cell.key.items() if k != key}
    groups.setdefault(cells_lib.cell_name(rest), []).append(cell)
  return list(groups.values())


def best_cell(cells: Sequence[Cell], metric: str) -> Cell | None:
  """Returns the cell with the best score of `metric`, the first of equal ones; None without any.

  Of cells that are all as bad as can be, one with a run that finished comes first.
  """
  known = [cell for cell in cells if metric in cell.scores]
  sign = -1 if lower_is_better(metric) else 1
  return max(known, default=None,
             key=lambda cell: (sign * cell.scores[metric], metric in cell.summaries))


def tune(cells: Sequence[Cell], sweep: experiment_file.Sweep, metric: str) -> list[Cell]:
  """Keeps, of the cells that differ only in `sweep.tune`, the one that is best for `metric`.

  Each metric has a best of its own (Fort et al. 2021, Figure 2: the accuracy at the learning rate
  that maximises it, the training loss at the one that minimises that), chosen on the split
  `sweep.select`. A group without a run that is done keeps its first cell.
  """
  return [best_cell(group, sweep.selected_by(metric)) or group[0]
          for group in groups_of(cells, sweep.tune)]


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


def _counting(values: Sequence[float], metric: str, best_of: int) -> list[float]:
  return sorted(values, reverse=not lower_is_better(metric))[:best_of or None]


def _worst(metric: str) -> float:
  return math.inf if lower_is_better(metric) else -math.inf


def quantity_of(cell: Cell, name: str) -> Any:
  """Returns a key of the cell, or a derived number of its runs; NaN if none has started."""
  if name in cell.key:
    return cell.key[name]
  return next((run.derived[name] for run in cell.runs if name in run.derived), math.nan)


def unit_of(metric: str) -> tuple[float, str]:
  """Returns (what a value is multiplied by to be read, its unit): shares are read in percent."""
  if metric.endswith('variance'):
    return 1, ''
  return (1, 'nats') if lower_is_better(metric) else (100, '%')


def format_value(metric: str, value: float) -> str:
  """Returns a value as its metric is read, see unit_of."""
  scale, unit = unit_of(metric)
  return {'%': f'{scale * value:.2f}%', 'nats': f'{value:.4f}', '': f'{value:.3g}'}[unit]


def _without_seed(cell: Any) -> dict[str, Any]:
  return {key: value for key, value in cell.items() if key != 'seed'}


def _json(path: epath.Path) -> Any | None:
  try:
    return json.loads(path.read_text())
  except FileNotFoundError:
    return None
