"""Draws the plots of a paper's figure: its axes, one line for each multiplicity, error bars."""

from collections.abc import Sequence
import io
import math
import os
import textwrap
from typing import Any

from etils import epath

from nfnets_am.core import quantities
from nfnets_am.reporting import legends
from nfnets_am.reporting import ticks
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

Points = dict[tuple[Any, Any], list[tuple[Any, float, float]]]
# As printed, two or three beside each other on a page; inches of a panel by the number of columns.
_SIZES = {1: (4.2, 3.0), 2: (3.5, 2.6), 3: (2.6, 2.4)}
# Letters of a title that an inch holds, of a panel and of a picture.
_LETTERS, _TITLE_LETTERS = 15, 13
# Names on an axis that stand beside each other; more of them stand one below the other.
_BESIDE = 8


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


def stars(sweep: experiment_file.Sweep, panel: paper.Panel) -> list[tuple[Any, paper.Number]]:
  """Returns (x, number) of what the paper prints and a panel has a place for, each once."""
  found = {}
  for number in sweep.numbers:
    x = number.cell.get(panel.x, number.at.get(panel.x))
    if number.value is None or number.metric != panel.metric or x is None:
      continue
    if paper.matches(number.cell, {k: v for k, v in panel.where.items() if k in number.cell}):
      name = (x, number.value, number.cell.get(panel.line), number.cell.get(panel.dashed))
      found.setdefault(name, (x, number))
  return list(found.values())


def draw(results: reduction.Results, path: str | os.PathLike) -> None:
  """Draws the panels of a sweep in one picture, those with a run or a printed number."""
  shown = [panel for panel in results.sweep.panels
           if points(results, panel) or stars(results.sweep, panel)]
  # Of a sweep that has not begun the first panel says so.
  shown = shown or list(results.sweep.panels[:1])
  columns = 3 if len(shown) == 3 else min(len(shown), 2)
  rows = math.ceil(len(shown) / columns)
  width, height = _SIZES[columns]
  tall = max(len(_names(results, panel)) for panel in shown)
  height = max(height, 0.22 * tall if tall > _BESIDE else 0)
  fig, axes = new(rows, columns, (width * columns, height * rows + 0.5))
  listed = []
  for axis, panel in zip(axes.flat, shown, strict=False):
    entries = _draw_panel(axis, results, panel, width)
    listed.append(entries)
  for axis in axes.flat[len(shown):]:
    axis.remove()
  title(fig, results.sweep.title)
  legends.put(fig, list(axes.flat[:len(shown)]), listed)
  save(fig, path)


def new(rows: int, columns: int, size: tuple[float, float], **options: Any) -> tuple[Any, Any]:
  """Returns a figure and its axes [rows, columns]; size in inches, options of its subplots."""
  # Only who draws pays for this import; without pyplot nothing looks for a screen.
  from matplotlib import figure
  fig = figure.Figure(figsize=size, layout='constrained', dpi=180)
  return fig, fig.subplots(rows, columns, squeeze=False, **options)


def title(fig: Any, text: str) -> None:
  """Puts a title over a picture, in as many lines as it needs."""
  fig.suptitle(textwrap.fill(text, int(_TITLE_LETTERS * fig.get_figwidth())), fontsize=9)


def save(fig: Any, path: str | os.PathLike) -> None:
  """Writes a figure as .png or .svg, on a disk or in a bucket."""
  import matplotlib
  from matplotlib.backends import backend_agg
  from matplotlib.backends import backend_svg
  data = io.BytesIO()
  if epath.Path(path).suffix == '.svg':
    # With names that follow from the content, and no date, the same runs give the same file.
    with matplotlib.rc_context({'svg.hashsalt': 'nfnets_am'}):
      backend_svg.FigureCanvasSVG(fig).print_svg(data, metadata={'Date': None})
  else:
    # Left to the figure's savefig, the layout takes a drawing of its own, and the picture two.
    canvas = backend_agg.FigureCanvasAgg(fig)
    fig.get_layout_engine().execute(fig)
    fig.set_layout_engine('none')
    canvas.print_png(data)
  epath.Path(path).write_bytes(data.getvalue())


def axis_label(metric: str) -> str:
  """Returns 'train/loss (nats)', or the name alone of what has no unit."""
  unit = quantities.of(metric).unit
  return f'{metric} ({unit})' if unit else metric


def _names(results: reduction.Results, panel: paper.Panel) -> list[str]:
  """The names that a panel's x axis has, in the order of `panel.names` or else sorted; [] of
  numbers."""
  found = {cell.key.get(panel.x) for cell in results.matching(panel.where)}
  # What others have run has its place among ours.
  found |= {x for x, _ in stars(results.sweep, panel)}
  order = list(panel.names.get(panel.x, ()))
  names = [name for name in found if isinstance(name, str)]
  return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def _draw_panel(axis: Any, results: reduction.Results, panel: paper.Panel, inches: float
                ) -> list[legends.Entry]:
  lines, printed = points(results, panel), stars(results.sweep, panel)
  # Also those without a run, so that a multiplicity has the same colour in every panel.
  cells = results.matching(panel.where)
  values = sorted({cell.key.get(panel.line, 0) for cell in cells})
  dashes = sorted({cell.key.get(panel.dashed, 0) for cell in cells})
  names = _names(results, panel)
  style = legends.Style(panel, values, dashes, bool(names))
  below = len(names) > _BESIDE
  place = {name: (len(names) - 1 - i if below else i) for i, name in enumerate(names)}
  for key, line in lines.items():
    shift = style.shift(*key) if names else 0
    xs = [place[x] + shift if names else x for x, *_ in line]
    means, deviations = ([point[i] for point in line] for i in (1, 2))
    # A single run has no deviation.
    deviations = deviations if any(deviations) else None
    if below:
      axis.errorbar(means, xs, xerr=deviations, **style.of_line(*key))
    else:
      axis.errorbar(xs, means, deviations, **style.of_line(*key))
  for x, number in printed:
    key = number.cell.get(panel.line), number.cell.get(panel.dashed)
    x = place[x] + (style.shift(*key) if names else 0) if names else x
    axis.plot(*((number.value, x) if below else (x, number.value)), **style.of_star(number))
  if not lines:
    axis.text(0.5, 0.5, 'no run has finished', transform=axis.transAxes, ha='center', va='center',
              fontsize=8)
  _finish(axis, panel, names, place, below)
  found = sorted({x for line in lines.values() for x, *_ in line} or {x for x, _ in printed})
  if found and not names:
    log = panel.log_x and found[0] > 0
    if log:
      axis.set_xscale('log', base=2)
    ticks.put(axis, found, inches=inches - 0.7, log=log)
  return style.entries([number for _, number in printed])


def _finish(axis: Any, panel: paper.Panel, names: Sequence[str], place: dict[str, int],
            below: bool) -> None:
  said = [panel.names.get(panel.x, {}).get(name, name) for name in names]
  labels = [quantities.label_of(panel.x), axis_label(panel.metric)]
  if below:
    axis.set_yticks([place[name] for name in names], said)
    labels = [labels[1], '']
    axis.locator_params(axis='x', nbins=6)
  elif names:
    axis.set_xticks([place[name] for name in names], said)
    axis.set_xlim(-0.5, len(names) - 0.5)
  if panel.log_y and not below:
    axis.set_yscale('log')
    ticks.log_y(axis)
  # Without a height it looks for ticks above the axes, in every pass.
  width = axis.figure.get_figwidth() / axis.get_subplotspec().get_gridspec().ncols
  axis.set_title(textwrap.fill(panel.title, int(_LETTERS * width)), fontsize=8, y=1.0)
  axis.set_xlabel(labels[0], fontsize=8)
  axis.set_ylabel(labels[1], fontsize=8)
  axis.tick_params(labelsize=7)
  axis.tick_params(which='minor', labelsize=6)
  axis.grid(alpha=0.3)
