"""Results to a table, a file of all runs and a page."""

import collections
from collections.abc import Mapping
from collections.abc import Sequence
import csv
import io
import math
import os
from typing import Any

from etils import epath

from nfnets_am.reporting import comparison
from nfnets_am.reporting import evidence
from nfnets_am.reporting import signatures
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

# Runs or cells that a page names one by one.
_NAMED = 40
# The scale whose runs show that everything works, and nothing else.
_SMOKE = 'smoke'
_NO_VERDICT = 'smoke runs'
_SMOKE_TEXT = ('These are smoke runs: they show the form of a page, and are no results. Nothing is '
               "judged by them, nor set against the paper's numbers.")
_READINGS = ("The paper's PDF was transcribed twice, independently: where the first and the second "
             'transcription disagree, both are shown.')


def table_of(results: reduction.Results) -> tuple[list[str], list[list[str]]]:
  """Returns the header and the rows of a sweep's table: one row for each cell.

  With `sweep.tune` the cells that differ only in that key share a row, and every metric says at
  which value of it it was best.
  """
  sweep = results.sweep
  metrics = (sweep.metric, *sweep.others)
  keys = [key for key in comparison.keys_of(results) if key != sweep.tune]
  header = [*keys, *metrics, 'runs', 'updates', 'views/update', 'samples', 'compute', 'state']
  leading = results.tuned(sweep.metric)
  least = min((cell.total_views for cell in leading if not math.isnan(cell.total_views)),
              default=math.nan)
  rows = []
  # A best that is not final must not look so: a row's state is that of its whole grid.
  for cell, grid, *shown in zip(leading, results.grids, *map(results.tuned, metrics), strict=True):
    summary, total = cell.summaries.get(sweep.metric), cell.total_views
    rows.append([
        *(str(cell.key.get(key, '')) for key in keys),
        *(_entry(one, metric, sweep.tune) for one, metric in zip(shown, metrics, strict=True)),
        f'{summary.runs if summary else 0}/{cell.counted}',
        f'{cell.derived["updates"]:,}' if cell.derived else '?',
        str(cell.derived.get('views', '?')),
        *(('?', '?') if math.isnan(total) else (f'{total:,}', f'{total / least:.3g} x')),
        reduction.state_of([run for one in grid for run in one.runs])])
  return header, rows


def _entry(cell: reduction.Cell, metric: str, tuned: str) -> str:
  if metric not in cell.summaries:
    return comparison.missing([cell])
  return cell.summaries[metric].text(metric) + (
      f' ({tuned} {cell.key[tuned]:g})' if tuned in cell.key else '')


def caption(sweep: experiment_file.Sweep) -> str:
  """Returns what the numbers of the table are."""
  counted = f'the best {sweep.best_of} (or all, if fewer)' if sweep.best_of else 'all'
  at = f', each at its evaluation with the best {sweep.at}' if sweep.at else ''
  tuned = ''
  if sweep.tune:
    tuned = (f' A row shows each metric at its own best {sweep.tune}; for {sweep.metric} it is '
             f'chosen by {sweep.selected_by(sweep.metric)}, a diverged run counting as the worst.')
  return (f'Mean ± standard deviation (ddof 0) of {counted} finished runs of a cell{at}; a single '
          f'run has no deviation.{tuned} Samples are the views trained on, over all updates; '
          'compute is them against the least of the cells.')


def is_smoke(results: reduction.Results) -> bool:
  """Whether the runs are of the scale 'smoke', which are no results."""
  return any(cell.key.get('scale') == _SMOKE for cell in results.cells)


def number_table(results: reduction.Results) -> tuple[Sequence[str], list[Sequence[str]]]:
  """Returns the paper's numbers and ours, a header and rows; of smoke runs no difference."""
  return comparison.NUMBER_HEADER, _judged(
      results, {'difference': '', 'verdict': _NO_VERDICT}, comparison.NUMBER_HEADER,
      comparison.number_rows(results))


def claim_table(results: reduction.Results) -> tuple[Sequence[str], list[Sequence[str]]]:
  """Returns the claims, a header and rows; of smoke runs no verdict."""
  return comparison.CLAIM_HEADER, _judged(
      results, {'verdict': _NO_VERDICT}, comparison.CLAIM_HEADER, comparison.claim_rows(results))


def _judged(results: reduction.Results, instead: Mapping[str, str], header: Sequence[str],
            rows: Sequence[Sequence[str]]) -> list[Sequence[str]]:
  """The rows of a table; of smoke runs with other texts in the columns that judge."""
  if not is_smoke(results):
    return list(rows)
  return [tuple(instead.get(column, text) for column, text in zip(header, row, strict=True))
          for row in rows]


def selected(results: reduction.Results) -> list[str]:
  """Returns a line for each way in which copies were selected: '3 of 20 kept by ... (2 cells)'."""
  counts = collections.Counter(cell.selected for cell in results.cells if cell.selected)
  return [f'{text} ({count} cell{"s" * (count > 1)}).' for text, count in counts.items()]


def csv_rows(results: reduction.Results, others: Sequence[str] = ()) -> list[list[Any]]:
  """Returns a header and a row for each run: its cell, state, metrics, views and what made it.

  Args:
    results: of a sweep.
    others: metrics to show in place of the sweep's `others`.
  """
  metrics = (results.sweep.metric, *(others or results.sweep.others))
  keys = [*comparison.keys_of(results), 'seed']
  made = ('commit', 'command', 'hardware', 'hours')
  return [[*keys, 'status', *metrics, 'updates', 'views_per_update', *made, 'reason'],
          *([*(run.cell.get(key, '') for key in keys), run.status,
             *(run.final.get(metric, '') for metric in metrics),
             run.derived.get('updates', ''), run.derived.get('views', ''),
             *(run.origin.get(key, '') for key in made), run.reason]
            for run in results.runs)]


def write_csv(rows: Sequence[Sequence[Any]], path: str | os.PathLike) -> None:
  """Writes rows as a .csv file, on a disk or in a bucket."""
  text = io.StringIO(newline='')
  csv.writer(text).writerows(rows)
  epath.Path(path).write_bytes(text.getvalue().encode())


def markdown(results: reduction.Results, command: str, picture_name: str = 'report.png') -> str:
  """Returns the report's page; the picture lies beside it."""
  sweep = results.sweep
  lines = [f'# {sweep.title}', '', f'Written by `{command}`.', '']
  if is_smoke(results):
    lines += [f'**{_SMOKE_TEXT}**', '']
  if sweep.numbers:
    lines += ['## The paper and here', '', 'Accuracies in percent, differences in points. '
              + evidence.NUMBERS_RULE, '']
    if any(number.reading in paper.READINGS[1:] for number in sweep.numbers):
      lines += [_READINGS, '']
    lines += table_lines(*number_table(results))
    lines += [f'- {note}' for note in comparison.doubts(sweep)] + ['']
  literature = comparison.literature_rows(results)
  if literature:
    lines += ['## Measured by others', '',
              *table_lines(comparison.LITERATURE_HEADER, literature)]
  if sweep.claims:
    lines += ['## Claims', '', evidence.RULE, '']
    lines += table_lines(*claim_table(results))
  if sweep.peak_over:
    lines += [f'## The best over {sweep.peak_over}', '']
    lines += table_lines(*comparison.peak_rows(results))
  if sweep.numbers or sweep.claims or sweep.peak_over:
    lines += ['## All cells', '']
  lines += [*table_lines(*table_of(results)), caption(sweep), *signatures.lines(results),
            *selected(results), '']
  edges = comparison.edges(results)
  if edges:
    lines += [f'The best {sweep.tune} still lies on an edge of its grid in {len(edges)} cells, '
              'which launch.sweep would extend: ' + '; '.join(edges[:_NAMED]) + '.', '']
  troubled = [run for run in results.runs
              if run.status not in ('finished', outcomes.NOT_SELECTED)]
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
