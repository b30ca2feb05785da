"""The picture of small_report.py: the paper's panels in miniature."""

from collections.abc import Callable
from collections.abc import Sequence
import os
from typing import Any

from nfnets_am.core import quantities
from nfnets_am.reporting import panels as panels_lib
from nfnets_am.reporting import ticks
from nfnets_am.sweeps import reduction

# (scheme, U, n) -> label, colour, marker, line.
_KINDS = {
    ('within', 16, 1): ('U = 16, n = 1', '#56B4E9', 'D', '-'),
    ('within', 64, 1): ('n = 1', '#0072B2', 'o', '-'),
    ('within', 32, 2): ('n = 2', '#009E73', '^', '-'),
    ('within', 16, 4): ('n = 4', '#D55E00', 's', '-'),
    ('neighbouring', 64, 4): ('n = 4, neighbouring', '#D55E00', 'v', '--'),
}
_LABELS = {'test/top1': 'test accuracy (%)', 'train/loss': 'training loss (nats)'}
_GROWING = (('within', 16, 1), ('within', 16, 4))
_FIXED = (('within', 64, 1), ('within', 32, 2), ('within', 16, 4))
_SCHEMES = (('within', 64, 1), ('within', 16, 4), ('neighbouring', 64, 4))


def draw(cells: Sequence[reduction.Cell], chosen: Sequence[reduction.Cell],
         measured: Sequence[Sequence], path: str | os.PathLike) -> None:
  """Draws four rows of two panels, as wide as a page.

  Args:
    cells: all of them, for the panel over the learning rate.
    chosen: one learning rate each, for the others.
    measured: the table of gradient_variance.rows_of, or empty.
    path: of the PNG.
  """
  fig, axes = panels_lib.new(4, 2, (7, 9.6))
  epochs = lambda cell: cell.key['epochs']
  accuracy, loss = 'test/top1', 'train/loss'
  panels = (
      ('growing batch, U = 16 (Fig. 2a)', _GROWING, epochs, accuracy),
      ('growing batch, U = 16 (Fig. 2b)', _GROWING, epochs, loss),
      ('fixed batch, B = 64 (Fig. 4a, 5a)', _FIXED, epochs, accuracy),
      ('fixed batch, B = 64 (Fig. 4b, 5b)', _FIXED, _updates, accuracy),
      ('fixed batch, B = 64 (Fig. 6b)', _FIXED, _updates, loss),
      ('within and neighbouring, B = 64 (Fig. 11a)', _SCHEMES, _updates, accuracy))
  for axis, (title, kinds, x, metric) in zip(axes.flat, panels, strict=False):
    shown = [_line(axis, kind, [c for c in chosen if _kind(c) == kind], x, metric)
             for kind in kinds]
    _finish(axis, title, metric, 'updates' if x is _updates else 'epochs', sum(shown, []))
  temperature, variance = axes.flat[6], axes.flat[7]
  shown = [_line(temperature, kind, [c for c in cells if _kind(c) == kind
                                     and c.key['epochs'] == 128],
                 lambda cell: cell.key['peak'] * cell.key['multiplicity'], accuracy)
           for kind in (('within', 64, 1), ('within', 16, 4))]
  _finish(temperature, 'B = 64, 128 epochs (Fig. 7); those at 10% lie below', accuracy,
          'temperature: learning rate times n', sum(shown, []))
  temperature.set_ylim(65, axes.flat[3].get_ylim()[1])
  found = []
  for scheme, colour, marker in (('fixed', '#D55E00', 's'), ('growing', '#0072B2', 'o')):
    rows = [row for row in measured[1:] if row[0] == scheme and isinstance(row[5], float)]
    if rows:
      variance.errorbar([row[1] for row in rows], [row[7] for row in rows],
                        [row[8] for row in rows], color=colour, marker=marker, capsize=2,
                        markersize=4, linewidth=1.2, label=f'{scheme} batch')
      variance.legend(frameon=False, fontsize=7, loc='upper left')
      found += [row[1] for row in rows]
  variance.set_ylabel('variance, against n = 1', fontsize=8)
  variance.set_ylim(bottom=0)
  _finish(variance, 'gradient variance at initialisation (Fig. 9)', None, 'multiplicity n', found)
  handles: dict[str, Any] = {}
  for axis in axes.flat[:7]:
    for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
      handles.setdefault(label, handle)
  if handles:
    fig.legend(handles.values(), handles.keys(), loc='outside lower center', ncols=5,
               frameon=False, fontsize=7)
  panels_lib.save(fig, path)


def _line(axis, kind: tuple[str, int, int], cells: Sequence[reduction.Cell],
          x: Callable[[reduction.Cell], float], metric: str) -> list[float]:
  """Draws the means of some cells and every run as a faint point; returns where they lie."""
  label, colour, marker, line = _KINDS[kind]
  scale = quantities.of(metric).scale
  known = sorted((c for c in cells if metric in c.summaries), key=x)
  if not known:
    return []
  axis.errorbar([x(c) for c in known], [scale * c.summaries[metric].mean for c in known],
                [scale * c.summaries[metric].deviation for c in known], color=colour,
                marker=marker, linestyle=line, capsize=2, markersize=4, linewidth=1.2, label=label)
  for cell in known:
    values = [scale * run.final[metric] for run in cell.runs if metric in run.final]
    axis.plot([x(cell)] * len(values), values, marker, color=colour, alpha=0.3, markersize=3)
  return [x(cell) for cell in known]


def _finish(axis, title: str, metric: str | None, label: str, values: Sequence[float]) -> None:
  axis.set_xscale('log', base=2)
  if values:
    ticks.put(axis, values, inches=2.8, log=True)
  axis.set_xlabel(label, fontsize=8)
  if metric:
    axis.set_ylabel(_LABELS[metric], fontsize=8)
    if quantities.of(metric).better == 'low':
      axis.set_yscale('log')
  axis.tick_params(labelsize=7)
  axis.grid(alpha=0.3)
  axis.set_title(title, fontsize=8)


def _kind(cell: reduction.Cell) -> tuple[str, int, int]:
  return cell.key['scheme'], cell.key['unique'], cell.key['multiplicity']


def _updates(cell: reduction.Cell) -> float:
  return cell.derived['updates']
