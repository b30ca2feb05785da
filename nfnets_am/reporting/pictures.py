"""The picture of a report: the paper's panels, or each metric over the updates and at its end."""

from collections.abc import Sequence
import os
from typing import Any

from absl import logging
import numpy as np

from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.reporting import legends
from nfnets_am.reporting import panels
from nfnets_am.reporting import ticks
from nfnets_am.sweeps import reduction

# Cells whose curves can be told apart.
_CURVES = 6


def draw(results: reduction.Results, path: str | os.PathLike) -> None:
  """Draws the panels of the sweep, or each metric over the updates and its end run by run.

  Of more than a few cells only the ends are drawn, one below the other.
  """
  sweep = results.sweep
  if sweep.panels:
    panels.draw(results, path)
    return
  metrics = (sweep.metric, *sweep.others)
  cells = [results.tuned(metric) for metric in metrics]
  if len(cells[0]) <= _CURVES:
    fig = _curves_and_ends(metrics, cells, sweep.tune)
  else:
    fig = _ends(metrics, cells, sweep.tune)
  panels.title(fig, sweep.title)
  panels.save(fig, path)


def _curves_and_ends(metrics: Sequence[str], cells: Sequence[Sequence[reduction.Cell]], tuned: str
                     ) -> Any:
  fig, axes = panels.new(len(metrics), 2, (7, 2.4 * len(metrics) + 0.4), width_ratios=(2, 1))
  for (curves, ends), metric, shown in zip(axes, metrics, cells, strict=True):
    scale = quantities.of(metric).scale
    for i, cell in enumerate(shown):
      colour, marker = _style(i)
      updates, mean, deviation = _history(cell, metric)
      curves.plot(updates, scale * mean, color=colour, marker=marker, markersize=3, linewidth=1.2)
      curves.fill_between(updates, scale * (mean - deviation), scale * (mean + deviation),
                          color=colour, alpha=0.2, linewidth=0)
      _end(ends, cell, metric, i, False)
    known = {update for cell in shown for update in _history(cell, metric)[0]}
    if known:
      ticks.put(curves, known, inches=3.6, log=False)
    curves.set_xlabel('updates', fontsize=8)
    curves.set_ylabel(panels.axis_label(metric), fontsize=8)
    ends.set_xticks(range(len(shown)), [
        label.replace(', ', '\n') for label in _labels(shown, tuned)])
    ends.set_xlim(-0.6, len(shown) - 0.4)
    ends.set_title('at the end; every run a point', fontsize=8, y=1.0)
    for axis in (curves, ends):
      axis.tick_params(labelsize=7)
      axis.grid(alpha=0.3, axis='both' if axis is curves else 'y')
  return fig


def _ends(metrics: Sequence[str], cells: Sequence[Sequence[reduction.Cell]], tuned: str) -> Any:
  fig, (axes,) = panels.new(1, len(metrics), (3.4 + 2.2 * len(metrics), 0.18 * len(cells[0]) + 1),
                            sharey=False)
  for axis, metric, shown in zip(axes, metrics, cells, strict=True):
    for i, cell in enumerate(shown):
      _end(axis, cell, metric, len(shown) - 1 - i, True)
    first = axis is axes[0]
    axis.set_yticks(range(len(shown)),
                    _labels(shown, tuned)[::-1] if first else [''] * len(shown))
    axis.set_ylim(-0.7, len(shown) - 0.3)
    axis.locator_params(axis='x', nbins=4)
    axis.set_xlabel(panels.axis_label(metric), fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)
  return fig


def _end(axis: Any, cell: reduction.Cell, metric: str, place: int, below: bool) -> None:
  """Draws the runs of a cell at its place, their mean and their deviation."""
  scale = quantities.of(metric).scale
  colour, marker = legends.COLOURS[0], 'o'
  if not below:
    colour, marker = _style(place)
  values = [scale * run.final[metric] for run in cell.runs if metric in run.final]
  places = [place] * len(values)
  axis.plot(*((values, places) if below else (places, values)), marker, color=colour, alpha=0.5,
            markersize=4, linewidth=0)
  summary = cell.summaries.get(metric)
  if summary is None or summary.runs == 1:
    return
  mean, deviation = scale * summary.mean, scale * summary.deviation
  style = {'color': colour, 'marker': '|' if below else '_', 'markersize': 8, 'capsize': 3}
  if below:
    axis.errorbar(mean, place, xerr=deviation, **style)
  else:
    axis.errorbar(place, mean, deviation, **style)


def _history(cell: reduction.Cell, metric: str) -> tuple[Any, Any, Any]:
  """As Cell.history; no curve of a cell whose lines cannot be read."""
  try:
    return cell.history(metric)
  except errors.UserError as e:
    logging.warning('no curve of it is drawn: %s', e)
    return (), np.zeros(0), np.zeros(0)


def _labels(cells: Sequence[reduction.Cell], tuned: str) -> list[str]:
  """What tells the cells apart, and how they stand: keys that all share are left out, and the one
  that each metric has a best value of its own of."""
  keys = list(dict.fromkeys(key for cell in cells for key in cell.key if key != tuned))
  varying = [key for key in keys if len({cell.key.get(key) for cell in cells}) > 1]
  return [', '.join(f'{key} {cell.key[key]}' for key in varying or keys if key in cell.key)
          + ('' if cell.state == 'finished' else f', ({cell.state})') for cell in cells]


def _style(i: int) -> tuple[str, str]:
  return legends.COLOURS[i % len(legends.COLOURS)], legends.MARKERS[i % len(legends.MARKERS)]
