"""Cells to a table, a page and a picture."""

from collections.abc import Sequence
import csv
import io
import math
import os
from typing import Any

from etils import epath

from nfnets_am.reporting import comparison
from nfnets_am.reporting import panels
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import reduction

# Runs or cells that a page names one by one.
_NAMED = 40


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
  # A best that is not final must not look so: a row's state is that of its whole grid.
  grids = reduction.groups_of(cells, sweep.tune) if sweep.tune else [[cell] for cell in cells]
  keys = [key for key in _keys(cells) if key != sweep.tune]
  header = [*keys, *metrics, 'runs', 'views/update', 'views', 'compute', 'state']
  totals = [reduction.views_in_total(cell) for cell in leading]
  least = min((total for total in totals if not math.isnan(total)), default=math.nan)
  rows = []
  for i, (cell, total, grid) in enumerate(zip(leading, totals, grids, strict=True)):
    row = [str(cell.key.get(key, '')) for key in keys]
    row += [_entry(shown[metric][i], metric, sweep.tune) for metric in metrics]
    summary = cell.summaries.get(sweep.metric)
    derived = next((run.derived for run in cell.runs if run.derived), {})
    row += [f'{summary.runs if summary else 0}/{len(cell.runs)}',
            str(derived.get('views', '?')),
            '?' if math.isnan(total) else f'{total:,}',
            '?' if math.isnan(total) else f'{total / least:.3g} x',
            reduction.state_of([run for one in grid for run in one.runs])]
    rows.append(row)
  return header, rows


def _keys(cells: Sequence[reduction.Cell]) -> list[str]:
  return list(dict.fromkeys(key for cell in cells for key in cell.key))


def _entry(cell: reduction.Cell, metric: str, tuned: str) -> str:
  summary = cell.summaries.get(metric)
  if summary is None:
    return comparison.missing([cell])
  return (f'{reduction.format_value(metric, summary.mean)} ± '
          f'{reduction.format_value(metric, summary.deviation)}'
          + (f' ({tuned} {cell.key[tuned]:g})' if tuned in cell.key else ''))


def caption(sweep: experiment_file.Sweep) -> str:
  """Returns what the numbers of the table are."""
  counted = f'the best {sweep.best_of} (or all, if fewer)' if sweep.best_of else 'all'
  tuned = ''
  if sweep.tune:
    tuned = (f' A row shows each metric at its own best {sweep.tune}; for {sweep.metric} it is '
             f'chosen by {sweep.selected_by(sweep.metric)}, a diverged run counting as the worst.')
  return (f'Mean ± standard deviation (ddof 0) of {counted} finished runs of a cell.{tuned} '
          'Compute is the views trained on, against the least of the cells.')


def csv_rows(sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell]) -> list[list[Any]]:
  """Returns a header and a row for each run: its cell, state, metrics and views."""
  metrics = (sweep.metric, *sweep.others)
  keys = [*_keys(cells), 'seed']
  rows: list[list[Any]] = [[*keys, 'status', *metrics, 'updates', 'views_per_update', 'reason']]
  for cell in cells:
    for run in cell.runs:
      rows.append([*(run.cell.get(key, '') for key in keys), run.status,
                   *(run.final.get(metric, '') for metric in metrics),
                   run.derived.get('updates', ''), run.derived.get('views', ''), run.reason])
  return rows


def write_csv(rows: Sequence[Sequence[Any]], path: str | os.PathLike) -> None:
  """Writes rows as a .csv file, on a disk or in a bucket."""
  text = io.StringIO(newline='')
  csv.writer(text).writerows(rows)
  epath.Path(path).write_bytes(text.getvalue().encode())


def markdown(sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell], header: list[str],
             rows: list[list[str]], command: str, picture_name: str = 'report.png') -> str:
  """Returns the report's page."""
  lines = [f'# {sweep.title}', '', f'Written by `{command}`.', '']
  if sweep.numbers:
    lines += ['## The paper and here', '', 'Accuracies in percent, differences in points.', '']
    lines += table_lines(comparison.NUMBER_HEADER, comparison.number_rows(sweep, cells))
    lines += [f'- {note}' for note in comparison.doubts(sweep)] + ['']
  if sweep.claims:
    lines += ['## Claims', '']
    lines += table_lines(comparison.CLAIM_HEADER, comparison.claim_rows(sweep, cells))
  if sweep.peak_over:
    lines += [f'## The best over {sweep.peak_over}', '']
    lines += table_lines(*comparison.peak_rows(sweep, cells))
  if sweep.numbers or sweep.claims or sweep.peak_over:
    lines += ['## All cells', '']
  lines += [*table_lines(header, rows), caption(sweep), '']
  edges = comparison.edges(sweep, cells)
  if edges:
    lines += [f'The best {sweep.tune} still lies on an edge of its grid in {len(edges)} cells, '
              'which launch.sweep would extend: ' + '; '.join(edges[:_NAMED]) + '.', '']
  troubled = [run for cell in cells for run in cell.runs if run.status != 'finished']
  if troubled:
    lines += ['## Runs that are not finished', '']
    # What went wrong comes first; of a sweep that has just begun a list of all would be long.
    troubled.sort(key=lambda run: run.status == 'missing')
    lines += [f'- `{",".join(f"{k}={v}" for k, v in run.cell.items())}`: {run.status}'
              + (f' ({run.reason})' if run.reason else '') for run in troubled[:_NAMED]]
    if len(troubled) > _NAMED:
      lines.append(f'- and {len(troubled) - _NAMED} more, see the .csv beside this page')
    lines.append('')
  lines += [f'![{sweep.title}]({picture_name})', '']
  if sweep.note:
    lines += [sweep.note.strip(), '']
  return '\n'.join(lines)


def table_lines(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
  """Returns a table's lines in Markdown, and an empty one."""
  return ['| ' + ' | '.join(header) + ' |', '|' + '---|' * len(header),
          *('| ' + ' | '.join(row) + ' |' for row in rows), '']


def picture(sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell],
            path: str | os.PathLike) -> None:
  """Draws the panels of the sweep, or each metric over the updates and its end run by run."""
  if sweep.panels:
    panels.draw(sweep, cells, path)
    return
  import matplotlib
  matplotlib.use('Agg')
  from matplotlib import pyplot as plt

  metrics = (sweep.metric, *sweep.others)
  fig, axes = plt.subplots(
      len(metrics), 2, figsize=(9, 3.2 * len(metrics)), squeeze=False, layout='constrained',
      width_ratios=(2, 1))
  for (curves, ends), metric in zip(axes, metrics, strict=True):
    scale, unit = reduction.unit_of(metric)
    labels = []
    for i, cell in enumerate(
        reduction.tune(cells, sweep, metric) if sweep.tune else cells):
      colour = panels.COLOURS[i % len(panels.COLOURS)]
      marker = panels.MARKERS[i % len(panels.MARKERS)]
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
  panels.save(fig, path)
  plt.close(fig)
