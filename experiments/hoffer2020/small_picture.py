"""The picture of small_report.py: columns, M, norms of the gradient and correlations."""

from collections.abc import Mapping
from collections.abc import Sequence
import os
from typing import Any

from experiments.hoffer2020 import checks
from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import small_claims
from nfnets_am.core import quantities
from nfnets_am.reporting import legends
from nfnets_am.reporting import panels
from nfnets_am.reporting import ticks
from nfnets_am.sweeps import reduction

_ACCURACY = 'test/top1'
_SHORT = {'fixed_steps': 'fixed steps', 'fixed_samples': 'fixed samples', 'ba': 'BA'}


def draw(columns: Mapping[str, Mapping[str, reduction.Cell]], sweep: Mapping[int, reduction.Cell],
         measured: reduction.Cell | None, epochs: Sequence[int], path: str | os.PathLike) -> None:
  """Draws two rows of two panels.

  Args:
    columns: norm -> column -> cell.
    sweep: M -> cell, of the first norm.
    measured: the cell whose gradients were compared.
    epochs: at which.
    path: of the PNG.
  """
  fig, axes = panels.new(2, 2, (8, 6.4))
  _columns(axes[0, 0], columns)
  _ends(axes[0, 1], sweep)
  first = next(iter(columns.values()), {})
  curves = {f'M = {m}': cell for m, cell in sweep.items()}
  if 'fixed_samples' in first:
    curves['large batch'] = first['fixed_samples']
  _norms(axes[1, 0], curves)
  _correlations(axes[1, 1], measured, epochs)
  panels.save(fig, path)


def _columns(axis: Any, columns: Mapping[str, Mapping[str, reduction.Cell]]) -> None:
  for i, (norm, cells) in enumerate(columns.items()):
    shift = 0.2 * (i - (len(columns) - 1) / 2)
    for place, column in enumerate(recipes.COLUMNS):
      _points(axis, cells.get(column), place + shift, i, f'{norm} norm' if place == 0 else '')
  axis.set_xticks(range(len(recipes.COLUMNS)), [_SHORT[column] for column in recipes.COLUMNS])
  axis.set_xlim(-0.5, len(recipes.COLUMNS) - 0.5)
  _finish(axis, 'the columns of Table 2', '', 'test accuracy (%)')


def _ends(axis: Any, sweep: Mapping[int, reduction.Cell]) -> None:
  for m, cell in sweep.items():
    _points(axis, cell, m, 0, '')
  axis.set_xscale('log', base=2)
  if sweep:
    ticks.put(axis, list(sweep), inches=3, log=True)
  _finish(axis, 'batch augmentation, 16 images in an update (Figure 2)', 'M',
          'test accuracy (%)')


def _norms(axis: Any, curves: Mapping[str, reduction.Cell]) -> None:
  for i, (name, cell) in enumerate(curves.items()):
    updates, mean, deviation = checks.curve(cell, small_claims.NORM)
    if len(updates):
      colour = legends.COLOURS[i % len(legends.COLOURS)]
      axis.plot(updates, mean, color=colour, label=name, linewidth=1.2)
      axis.fill_between(updates, mean - deviation, mean + deviation, color=colour, alpha=0.2,
                        linewidth=0)
  _finish(axis, 'norm of the gradient in training (Figure 1)', 'updates', 'gradient norm')


def _correlations(axis: Any, cell: reduction.Cell | None, epochs: Sequence[int]) -> None:
  for i, (kind, name) in enumerate(small_claims.KINDS.items()):
    known = [(place, cell.summaries[metric]) for place, epoch in enumerate(epochs)
             if cell and (metric := small_claims.correlation(kind, epoch)) in cell.summaries]
    if known:
      axis.errorbar([place for place, _ in known], [summary.mean for _, summary in known],
                    [summary.deviation for _, summary in known], capsize=3, label=name,
                    color=legends.COLOURS[i], marker=legends.MARKERS[i], markersize=4)
  axis.set_xticks(range(len(epochs)), list(map(str, epochs)))
  axis.axhline(0, color='black', linewidth=0.6)
  _finish(axis, 'correlation of gradients (Table 1)', 'epochs of training', 'median over the pairs')


def _points(axis: Any, cell: reduction.Cell | None, x: float, style: int, label: str) -> None:
  """Every run a faint point, their mean and deviation."""
  if cell is None or _ACCURACY not in cell.summaries:
    return
  scale, summary = quantities.of(_ACCURACY).scale, cell.summaries[_ACCURACY]
  colour, marker = legends.COLOURS[style], legends.MARKERS[style]
  values = [scale * run.final[_ACCURACY] for run in cell.runs if _ACCURACY in run.final]
  axis.plot([x] * len(values), values, marker, color=colour, alpha=0.3, markersize=3)
  axis.errorbar(x, scale * summary.mean, scale * summary.deviation, color=colour, marker=marker,
                capsize=3, markersize=5, label=label or None)


def _finish(axis: Any, title: str, x: str, y: str) -> None:
  axis.set_title(title, fontsize=8)
  axis.set_xlabel(x, fontsize=8)
  axis.set_ylabel(y, fontsize=8)
  axis.tick_params(labelsize=7)
  axis.grid(alpha=0.3)
  if axis.get_legend_handles_labels()[0]:
    axis.legend(frameon=False, fontsize=7)
