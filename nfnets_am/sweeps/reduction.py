"""Runs to cells: what finished, what did not, means and deviations over the seeds."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import math
from typing import Any

import numpy as np

from nfnets_am.config import cells as cells_lib
from nfnets_am.core import quantities
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import selection


@dataclasses.dataclass(frozen=True)
class Summary:
  """A metric over the finished runs of a cell.

  Attributes:
    mean: of the runs that count.
    deviation: their standard deviation, divided by their number (ddof 0).
    runs: how many count.
    examples: N of the evaluated split, as its evaluation counted them; 0 if it did not.
  """

  mean: float
  deviation: float
  runs: int
  examples: int = 0

  def text(self, metric: str) -> str:
    """Returns '74.30% ± 0.10%', as the metric is read."""
    quantity = quantities.of(metric)
    return f'{quantity.text(self.mean)} ± {quantity.text(self.deviation)}'

  def measured(self, metric: str) -> differences.Difference:
    """Returns the mean, turned so that better is more, with its standard errors.

    Over the seeds from the deviation with ddof 1. Over test sets that of one network: those of one
    cell see the same images, and more of them do not make the set larger.
    """
    quantity = quantities.of(metric)
    share = quantity.counted and self.examples
    return differences.Difference(
        quantity.sign * self.mean,
        None if self.runs < 2 else self.deviation / math.sqrt(self.runs - 1),
        math.sqrt(max(0.0, self.mean * (1 - self.mean)) / self.examples) if share else 0.0,
        self.runs, metric)


@dataclasses.dataclass(frozen=True)
class Cell:
  """The runs that differ in nothing but their seed.

  Attributes:
    key: the cell without its seed.
    runs: in the order of the sweep.
    summaries: metric -> Summary; a metric that no finished run has is missing.
    scores: metric -> what the cell is chosen by: the mean of the runs that count, of which a
      diverged one has the worst value there is; a metric without a run that is done is missing.
    selected: in words, which of its runs went on after a stage; '' without stages.
  """

  key: Mapping[str, Any]
  runs: tuple[outcomes.RunResult, ...]
  summaries: Mapping[str, Summary]
  scores: Mapping[str, float]
  selected: str = ''

  @property
  def counted(self) -> int:
    """How many runs its numbers are to rest on: those that a stage has selected, else all."""
    return sum(run.counts for run in self.runs) or len(self.runs)

  @property
  def done(self) -> bool:
    """Whether every run is done."""
    return all(run.done for run in self.runs)

  @property
  def state(self) -> str:
    """What a reader must know: 'finished', or what the other runs are: '1 diverged, 1 missing'."""
    return state_of(self.runs)

  @property
  def derived(self) -> Mapping[str, Any]:
    """The derived numbers of a run that has started, or {}."""
    return next((run.derived for run in self.runs if run.derived), {})

  @property
  def total_views(self) -> float:
    """Views that a run trains on, which its compute follows; NaN if none has started."""
    derived = self.derived
    return derived['views'] * derived['updates'] if derived else math.nan

  def number(self, name: str) -> Any:
    """Returns a key of the cell, or a derived number of its runs; NaN if none has started."""
    if name in self.key:
      return self.key[name]
    return next((run.derived[name] for run in self.runs if name in run.derived), math.nan)

  def history(self, metric: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (updates [T], mean [T], deviation [T]) of a metric over the finished runs."""
    curves = [dict(run.history[metric]) for run in self.runs
              if run.counts and run.status == 'finished' and metric in run.history]
    updates = sorted(set.intersection(*map(set, curves))) if curves else []
    if not updates:
      return np.zeros(0), np.zeros(0), np.zeros(0)
    values = np.array([[curve[update] for update in updates] for curve in curves])
    return np.array(updates), values.mean(axis=0), values.std(axis=0)


@dataclasses.dataclass(frozen=True)
class Results:
  """A sweep and its reduced runs: the one thing that tables, claims, plots and pages are made of.

  Attributes:
    sweep: with the cells that tuning has added.
    cells: in its order.
  """

  sweep: experiment_file.Sweep
  cells: tuple[Cell, ...]
  _known: dict[Any, Any] = dataclasses.field(default_factory=dict, repr=False, compare=False)

  @functools.cached_property
  def runs(self) -> tuple[outcomes.RunResult, ...]:
    """All runs, cell by cell."""
    return tuple(run for cell in self.cells for run in cell.runs)

  @functools.cached_property
  def grids(self) -> tuple[tuple[Cell, ...], ...]:
    """The cells that differ in nothing but `sweep.tune`; without it each cell by itself."""
    return groups_of(self.cells, self.sweep.tune)

  def matching(self, *wheres: Mapping[str, Any]) -> tuple[Cell, ...]:
    """Returns the cells that have what one of `wheres` asks for; see paper.matches."""
    return tuple(cell for cell in self.cells
                 if any(paper.matches(cell.key, where) for where in wheres))

  def best(self, where: Mapping[str, Any], metric: str = '') -> Cell | None:
    """Returns the best cell that matches, or None if no run of them finished.

    The value of `sweep.tune` is chosen within each grid on the split that selects, the rest (such
    as the budget, Fort et al. 2021: 'the peak') by the same metric.

    Args:
      where: what the cells must have.
      metric: '' is the sweep's own.
    """
    metric = metric or self.sweep.metric
    return self._once(('best', repr(where), metric),
                      lambda: self.best_of(self.matching(where), metric))

  def best_of(self, cells: Sequence[Cell], metric: str) -> Cell | None:
    """Returns the best of some of the cells; otherwise as `best`."""
    chosen = best_cell(self._tuned(groups_of(cells, self.sweep.tune), metric),
                       self.sweep.selected_by(metric))
    return chosen if chosen and metric in chosen.summaries else None

  def tuned(self, metric: str, where: Mapping[str, Any] | None = None) -> tuple[Cell, ...]:
    """Returns the best of each grid's matching cells, in the order of `grids`.

    Each metric has a best of its own (Fort et al. 2021, Figure 2: the accuracy at the learning rate
    that maximises it, the training loss at the one that minimises that), chosen on the split
    `sweep.select`. A grid without a run that is done keeps its first cell.
    """
    where = where or {}
    return self._once(
        ('tuned', repr(where), metric), lambda: self._tuned(
            groups_of(self.matching(where), self.sweep.tune) if where else self.grids, metric))

  def _tuned(self, grids: Sequence[Sequence[Cell]], metric: str) -> tuple[Cell, ...]:
    selects = self.sweep.selected_by(metric)
    return tuple(best_cell(grid, selects) or grid[0] for grid in grids)

  def _once(self, key: Any, make: Callable[[], Any]) -> Any:
    if key not in self._known:
      self._known[key] = make()
    return self._known[key]


def reduce(sweep: experiment_file.Sweep, runs: Sequence[experiment_file.Run],
           reader: outcomes.Reader) -> Results:
  """Returns the cells of a sweep in its order.

  Args:
    sweep: says what is measured.
    runs: of experiment_file.get_runs; those that differ in their cell's 'seed' are one cell.
    reader: of the sweep's workdir.
  """
  shown = (sweep.metric, *sweep.others)
  metrics = dict.fromkeys((*shown, *map(sweep.selected_by, shown)))
  read = lambda run: outcomes.best(reader.read(run), sweep.at) if sweep.at else reader.read(run)
  return Results(sweep, tuple(
      _cell(*selection.apply(sweep.stages, [read(run) for run in group]), metrics, sweep.best_of)
      for group in selection.copies(runs)))


def _cell(runs: Sequence[outcomes.RunResult], selected: str, metrics: Sequence[str], best_of: int
          ) -> Cell:
  summaries, scores = {}, {}
  counting = [run for run in runs if run.counts]
  diverged = sum(run.status == 'diverged' for run in counting)
  for metric in metrics:
    values = [run.final[metric] for run in counting if metric in run.final]
    if values:
      count = metric.partition('/')[0] + '/images'
      summaries[metric] = dataclasses.replace(summarise(values, metric, best_of), examples=next(
          (int(run.final[count]) for run in counting if count in run.final), 0))
    if diverged:
      values += [quantities.of(metric).worst] * diverged
      scores[metric] = float(np.mean(_counting(values, metric, best_of)))
    elif values:
      scores[metric] = summaries[metric].mean
  return Cell(_without(runs[0].cell, 'seed'), tuple(runs), summaries, scores, selected)


def summarise(values: Sequence[float], metric: str, best_of: int = 0) -> Summary:
  """Reduces the runs of one cell to a mean.

  Args:
    values: one for each finished run; not empty.
    metric: its quantity says which values are the best.
    best_of: how many of the best runs count (Fort et al. 2021: 5 of 7); 0 is all. With fewer runs
      than that, all count.
  """
  kept = np.array(_counting(values, metric, best_of))
  return Summary(mean=float(kept.mean()), deviation=float(kept.std()), runs=len(kept))


def groups_of(cells: Sequence[Cell], *keys: str) -> tuple[tuple[Cell, ...], ...]:
  """Gathers the cells that differ in nothing but `keys`, in the order of their first ones."""
  groups: dict[str, list[Cell]] = {}
  for cell in cells:
    groups.setdefault(cells_lib.cell_name(_without(cell.key, *keys)), []).append(cell)
  return tuple(map(tuple, groups.values()))


def best_cell(cells: Sequence[Cell], metric: str) -> Cell | None:
  """Returns the cell with the best score of `metric`, the first of equal ones; None without any.

  Of cells that are all as bad as can be, one with a run that finished comes first.
  """
  known = [cell for cell in cells if metric in cell.scores]
  sign = quantities.of(metric).sign
  return max(known, default=None,
             key=lambda cell: (sign * cell.scores[metric], metric in cell.summaries))


def state_of(runs: Sequence[outcomes.RunResult]) -> str:
  """Returns 'finished', or what the runs are that did not: '1 diverged, 1 missing'.

  Runs that were not selected are left out: nothing is wrong with them, and nothing to come.
  """
  others: dict[str, int] = {}
  for run in runs:
    if run.status not in ('finished', outcomes.NOT_SELECTED):
      others[run.status] = others.get(run.status, 0) + 1
  return ', '.join(f'{count} {status}' for status, count in sorted(others.items())) or 'finished'


def _counting(values: Sequence[float], metric: str, best_of: int) -> list[float]:
  return sorted(values, reverse=quantities.of(metric).sign > 0)[:best_of or None]


def _without(cell: Mapping[str, Any], *keys: str) -> dict[str, Any]:
  return {key: value for key, value in cell.items() if key not in keys}
