"""Cells to a table, a page and a picture."""

from collections.abc import Sequence
import math
import os
from typing import Any

from nfnets_am import experiment_file
from nfnets_am import reduction

# Okabe and Ito's colours, told apart by readers with colour blindness; markers for print.
_COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
_MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')


def format_value(metric: str, value: float) -> str:
  """Returns a value as its metric is read: shares in percent, losses in nats."""
  return f'{value:.4f}' if metric.endswith('loss') else f'{100 * value:.2f}%'


def table_of(
    sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell],
) -> tuple[list[str], list[list[str]]]:
  """Returns the header and the rows of a sweep's table: one row for each cell.

  With `sweep.tune` the cells that differ only in that key share a row, and every metric says at
  which value of it it was best.
  """
  metrics = (sweep.metric, *sweep.others)
  shown = {metric: reduction.tune(cells, sweep, metric) if sweep.tune else cells
           for metric in metrics}
  leading = shown[sweep.metric]
  keys = [key for key in leading[0].key if key != sweep.tune]
  header = [*keys, *metrics, 'runs', 'views/update', 'views', 'compute', 'state']
  totals = [reduction.views_in_total(cell) for cell in leading]
  least = min((total for total in totals if not math.isnan(total)), default=math.nan)
  rows = []
  for i, (cell, total) in enumerate(zip(leading, totals, strict=True)):
    row = [str(cell.key[key]) for key in keys]
    row += [_entry(shown[metric][i], metric, sweep.tune) for metric in metrics]
    summary = cell.summaries.get(sweep.metric)
    derived = next((run.derived for run in cell.runs if run.derived), {})
    row += [f'{summary.runs if summary else 0}/{len(cell.runs)}',
            str(derived.get('views', '?')),
            '?' if math.isnan(total) else f'{total:,}',
            '?' if math.isnan(total) else f'{total / least:.3g} x',
            cell.state]
    rows.append(row)
  return header, rows


def _entry(cell: reduction.Cell, metric: str, tuned: str) -> str:
  summary = cell.summaries.get(metric)
  if summary is None:
    return 'no run'
  return (f'{format_value(metric, summary.mean)} ± {format_value(metric, summary.deviation)}'
          + (f' ({tuned} {cell.key[tuned]})' if tuned else ''))


def caption(sweep: experiment_file.Sweep) -> str:
  """Returns what the numbers of the table are."""
  counted = f'the best {sweep.best_of}' if sweep.best_of else 'all'
  return (f'Mean ± standard deviation (ddof 0) of {counted} finished runs of a cell. Compute is '
          'the views trained on, against the least of the cells.')


def csv_rows(sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell]) -> list[list[Any]]:
  """Returns a header and a row for each run: its cell, state, metrics and views."""
  metrics = (sweep.metric, *sweep.others)
  keys = list(cells[0].runs[0].cell) if cells else []
  rows: list[list[Any]] = [[*keys, 'status', *metrics, 'updates', 'views_per_update', 'reason']]
  for cell in cells:
    for run in cell.runs:
      rows.append([*(run.cell[key] for key in keys), run.status,
                   *(run.final.get(metric, '') for metric in metrics),
                   run.derived.get('updates', ''), run.derived.get('views', ''), run.reason])
  return rows


def markdown(sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell], header: list[str],
             rows: list[list[str]], command: str) -> str:
  """Returns the report's page."""
  lines = [f'# {sweep.title}', '', f'Written by `{command}`.', '']
  lines += ['| ' + ' | '.join(header) + ' |', '|' + '---|' * len(header)]
  lines += ['| ' + ' | '.join(row) + ' |' for row in rows]
  lines += ['', caption(sweep), '']
  troubled = [run for cell in cells for run in cell.runs if run.status != 'finished']
  if troubled:
    lines += ['## Runs that are not finished', '']
    lines += [f'- `{",".join(f"{k}={v}" for k, v in run.cell.items())}`: {run.status}'
              + (f' ({run.reason})' if run.reason else '') for run in troubled]
    lines.append('')
  lines += ['![the metrics over the updates and at the end](report.png)', '']
  if sweep.note:
    lines += [sweep.note.strip(), '']
  return '\n'.join(lines)


def picture(sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell],
            path: str | os.PathLike) -> None:
  """Draws each metric over the updates, one line a cell, and its end with every run as a point."""
  import matplotlib
  matplotlib.use('Agg')
  from matplotlib import pyplot as plt

  metrics = (sweep.metric, *sweep.others)
  fig, axes = plt.subplots(
      len(metrics), 2, figsize=(9, 3.2 * len(metrics)), squeeze=False, layout='constrained',
      width_ratios=(2, 1))
  for (curves, ends), metric in zip(axes, metrics, strict=True):
    scale = 1 if metric.endswith('loss') else 100
    unit = 'nats' if metric.endswith('loss') else '%'
    labels = []
    for i, cell in enumerate(
        reduction.tune(cells, sweep, metric) if sweep.tune else cells):
      colour, marker = _COLOURS[i % len(_COLOURS)], _MARKERS[i % len(_MARKERS)]
      label = ', '.join(f'{key} {value}' for key, value in cell.key.items())
      updates, mean, deviation = reduction.mean_history(cell, metric)
      curves.plot(updates, scale * mean, color=colour, marker=marker, markersize=4, label=label)
      curves.fill_between(updates, scale * (mean - deviation), scale * (mean + deviation),
                          color=colour, alpha=0.2, linewidth=0)
      values = [scale * run.final[metric] for run in cell.runs if metric in run.final]
      ends.plot([i] * len(values), values, marker, color=colour, alpha=0.5, markersize=5)
      if metric in cell.summaries:
        summary = cell.summaries[metric]
        ends.errorbar(i, scale * summary.mean, scale * summary.deviation, color=colour,
                      marker='_', markersize=16, capsize=4)
      labels.append(label.replace(', ', '\n')
                    + ('' if cell.state == 'finished' else f'\n({cell.state})'))
    curves.set_xlabel('updates')
    curves.set_ylabel(f'{metric} ({unit})')
    curves.grid(alpha=0.3)
    curves.legend(frameon=False, fontsize=8)
    ends.set_xticks(range(len(labels)), labels, fontsize=8)
    ends.set_xlim(-0.6, len(labels) - 0.4)
    ends.grid(alpha=0.3, axis='y')
    ends.set_title('at the end; every run a point', fontsize=9)
  fig.suptitle(sweep.title, fontsize=11)
  fig.savefig(path, dpi=150)
  plt.close(fig)
