"""Draws the plots of a paper's figure: its axes, one line for each multiplicity, error bars."""

import io
import math
import os
from typing import Any

from etils import epath

from nfnets_am.core import quantities
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

# Okabe and Ito's colours, told apart by readers with colour blindness; markers for print.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_DASHES = ('-', '--', ':')
Points = dict[tuple[Any, Any], list[tuple[Any, float, float]]]


def points(results: reduction.Results, panel: paper.Panel) -> Points:
  """Returns (line, dash) -> [(x, mean, deviation)], ascending in x; values as they are read.

  Cells without a finished run have no point; with `panel.tuned` a point is the best of its grid.
  """
  tuned = panel.tuned and results.sweep.tune
  scale = quantities.of(panel.metric).scale
  lines: Points = {}
  for cell in (results.tuned(panel.metric, panel.where) if tuned
               else results.matching(panel.where)):
    summary, x = cell.summaries.get(panel.metric), cell.number(panel.x)
    if summary is not None and x is not None and x == x:
      name = (cell.key.get(panel.line, 0), cell.key.get(panel.dashed, 0))
      lines.setdefault(name, []).append((x, scale * summary.mean, scale * summary.deviation))
  return {name: sorted(line) for name, line in sorted(lines.items())}


def draw(results: reduction.Results, path: str | os.PathLike) -> None:
  """Draws all panels of a sweep in one picture; a panel without runs says so."""
  panels = results.sweep.panels
  columns = 3 if len(panels) == 3 else min(len(panels), 2)
  rows = math.ceil(len(panels) / columns)
  fig, axes = new(rows, columns, (4.6 * columns, 3.6 * rows))
  for axis, panel in zip(axes.flat, panels, strict=False):
    _draw_panel(axis, results, panel)
  for axis in axes.flat[len(panels):]:
    axis.set_visible(False)
  fig.suptitle(results.sweep.title, fontsize=11)
  save(fig, path)


def new(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
  """Returns a figure and its axes [rows, columns]; size in inches, options of its subplots."""
  # Only who draws pays for this import; without pyplot nothing looks for a screen.
  from matplotlib import figure
  fig = figure.Figure(figsize=size, layout='constrained', dpi=150)
  return fig, fig.subplots(rows, columns, squeeze=False, **options)


def save(fig: Any, path: str | os.PathLike) -> None:
  """Writes a figure as .png, on a disk or in a bucket."""
  from matplotlib.backends import backend_agg
  data = io.BytesIO()
  # Left to the figure's savefig, the layout takes a drawing of its own, and the picture two.
  canvas = backend_agg.FigureCanvasAgg(fig)
  fig.get_layout_engine().execute(fig)
  fig.set_layout_engine('none')
  canvas.print_png(data)
  epath.Path(path).write_bytes(data.getvalue())


def _draw_panel(axis: Any, results: reduction.Results, panel: paper.Panel) -> None:
  lines = points(results, panel)
  # Also those without a run, so that a multiplicity has the same colour in every panel.
  shown = results.matching(panel.where)
  values = sorted({cell.key.get(panel.line, 0) for cell in shown})
  dashes = sorted({cell.key.get(panel.dashed, 0) for cell in shown})
  printed = _printed(results.sweep, panel)
  categories = sorted({x for x in (*(point[0] for line in lines.values() for point in line),
                                   *(number.cell[panel.x] for number in printed))
                       if isinstance(x, str)})
  place = {name: i for i, name in enumerate(categories)}
  for (value, dash), line in lines.items():
    i = values.index(value)
    xs, means, deviations = zip(*line, strict=True)
    label = f'{_short(panel.line)} = {value:g}' if not isinstance(value, str) else value
    if panel.dashed and len(dashes) > 1:
      label += f', {panel.dashed} {dash}'
    # Lines differ by their dashes; points without lines by being hollow or full.
    hollow = categories and len(dashes) > 1 and dash == dashes[0]
    axis.errorbar([place.get(x, x) for x in xs], means, deviations, label=label,
                  color=COLOURS[i % len(COLOURS)], marker=MARKERS[i % len(MARKERS)],
                  linestyle='none' if categories else _DASHES[dashes.index(dash) % len(_DASHES)],
                  markerfacecolor='white' if hollow else None, markersize=5, capsize=3,
                  linewidth=1.4)
  labels = set()
  for number in printed:
    x, own = number.cell[panel.x], number.reading in paper.READINGS
    colour, label = 'black', 'paper' if own else number.reading
    if own and number.cell.get(panel.line) in values:
      colour = COLOURS[values.index(number.cell[panel.line]) % len(COLOURS)]
    axis.plot([place.get(x, x)], [number.value], linestyle='none', marker='*', markersize=9,
              markerfacecolor='none', color=colour, label='' if label in labels else label)
    labels.add(label)
  if not lines:
    axis.text(0.5, 0.5, 'no run has finished', transform=axis.transAxes, ha='center', va='center')
  if categories:
    axis.set_xticks(range(len(categories)), categories, rotation=30)
  elif panel.log_x and (lines or printed):
    axis.set_xscale('log', base=2)
    if panel.x == 'epochs':
      axis.xaxis.set_major_formatter('{x:g}')
  if panel.log_y and lines:
    axis.set_yscale('log')
  # Without a height it looks for ticks above the axes, in every pass.
  axis.set_title(panel.title, fontsize=9, y=1.0)
  axis.set_xlabel(quantities.label_of(panel.x))
  axis.set_ylabel(axis_label(panel.metric))
  axis.grid(alpha=0.3)
  if lines or printed:
    # It lies within the axes, so the layout need not look for its place.
    axis.legend(frameon=False, fontsize=7).set_in_layout(False)


def axis_label(metric: str) -> str:
  """Returns 'train/loss (nats)', or the name alone of what has no unit."""
  unit = quantities.of(metric).unit
  return f'{metric} ({unit})' if unit else metric


def _printed(sweep: experiment_file.Sweep, panel: paper.Panel) -> list[paper.Number]:
  """The paper's numbers that have a place on a panel."""
  return [number for number in sweep.numbers
          if number.value is not None and number.metric == panel.metric
          and panel.x in number.cell and paper.matches(
              number.cell, {k: v for k, v in panel.where.items() if k in number.cell})]


def _short(key: str) -> str:
  return {'multiplicity': 'n'}.get(key, key)
