"""The picture of small_report.py: the paper's panels in miniature."""

from collections.abc import Callable
from collections.abc import Sequence
import os

from nfnets_am.core import quantities
from nfnets_am.reporting import panels as panels_lib
from nfnets_am.sweeps import reduction

# (scheme, U, n) -> label, colour, marker, line.
_KINDS = {
    ('within', 16, 1): ('U = 16, n = 1', '#56B4E9', 'D', '-'),
    ('within', 64, 1): ('n = 1', '#0072B2', 'o', '-'),
    ('within', 32, 2): ('n = 2', '#009E73', '^', '-'),
    ('within', 16, 4): ('n = 4', '#D55E00', 's', '-'),
    ('neighbouring', 64, 4): ('n = 4, neighbouring', '#D55E00', 'v', '--'),
}
_LABELS = {'test/top1': 'test accuracy (%)', 'train/loss': 'training loss, raw images (nats)'}
_GROWING = (('within', 16, 1), ('within', 16, 4))
_FIXED = (('within', 64, 1), ('within', 32, 2), ('within', 16, 4))
_SCHEMES = (('within', 64, 1), ('within', 16, 4), ('neighbouring', 64, 4))


def draw(cells: Sequence[reduction.Cell], chosen: Sequence[reduction.Cell],
         measured: Sequence[Sequence], path: str | os.PathLike) -> None:
  """Draws two rows of four panels.

  Args:
    cells: all of them, for the panel over the learning rate.
    chosen: one learning rate each, for the others.
    measured: the table of gradient_variance.rows_of, or empty.
    path: of the PNG.
  """
  fig, axes = panels_lib.new(2, 4, (15, 6.6))
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
    for kind in kinds:
      _line(axis, kind, [c for c in chosen if _kind(c) == kind], x, metric)
    axis.set_xlabel('updates' if x is _updates else 'epochs')
    _finish(axis, title, metric)
  temperature, variance = axes.flat[6], axes.flat[7]
  for kind in (('within', 64, 1), ('within', 16, 4)):
    _line(temperature, kind, [c for c in cells if _kind(c) == kind and c.key['epochs'] == 128],
          lambda cell: cell.key['peak'] * cell.key['multiplicity'], accuracy)
  temperature.set_xlabel('temperature: learning rate times n')
  _finish(temperature, 'B = 64, 128 epochs (Fig. 7); those at 10% lie below', accuracy)
  temperature.set_ylim(65, axes.flat[3].get_ylim()[1])
  for scheme, colour, marker in (('fixed', '#D55E00', 's'), ('growing', '#0072B2', 'o')):
    rows = [row for row in measured[1:] if row[0] == scheme and isinstance(row[5], float)]
    if rows:
      variance.errorbar([row[1] for row in rows], [row[7] for row in rows],
                        [row[8] for row in rows], color=colour, marker=marker, capsize=3,
                        label=f'{scheme} batch')
  variance.set_xlabel('multiplicity n')
  variance.set_ylabel('variance, against n = 1')
  variance.set_ylim(bottom=0)
  _finish(variance, 'gradient variance at initialisation (Fig. 9)', None)
  fig.set_dpi(130)
  panels_lib.save(fig, path)


def _line(axis, kind: tuple[str, int, int], cells: Sequence[reduction.Cell],
          x: Callable[[reduction.Cell], float], metric: str) -> None:
  """Draws the means of some cells and every run as a faint point."""
  label, colour, marker, line = _KINDS[kind]
  scale = quantities.of(metric).scale
  known = sorted((c for c in cells if metric in c.summaries), key=x)
  if not known:
    return
  axis.errorbar([x(c) for c in known], [scale * c.summaries[metric].mean for c in known],
                [scale * c.summaries[metric].deviation for c in known], color=colour,
                marker=marker, linestyle=line, capsize=3, label=label)
  for cell in known:
    values = [scale * run.final[metric] for run in cell.runs if metric in run.final]
    axis.plot([x(cell)] * len(values), values, marker, color=colour, alpha=0.3, markersize=4)


def _finish(axis, title: str, metric: str | None) -> None:
  axis.set_xscale('log', base=2)
  axis.xaxis.set_major_formatter(lambda x, _: f'{x:,g}')
  if metric:
    axis.set_ylabel(_LABELS[metric])
    if quantities.of(metric).better == 'low':
      axis.set_yscale('log')
  axis.grid(alpha=0.3)
  axis.set_title(title, fontsize=10)
  if axis.get_legend_handles_labels()[0]:
    axis.legend(frameon=False, fontsize=8)


def _kind(cell: reduction.Cell) -> tuple[str, int, int]:
  return cell.key['scheme'], cell.key['unique'], cell.key['multiplicity']


def _updates(cell: reduction.Cell) -> float:
  return cell.derived['updates']
