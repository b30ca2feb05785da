"""The paper's numbers and claims beside ours, as rows of tables."""

from collections.abc import Sequence
import json

from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.sweeps import tuning

NUMBER_HEADER = ('cell', 'where', 'paper', 'measured', 'difference', 'runs')
CLAIM_HEADER = ('claim', "the paper's evidence", 'ours', 'verdict')
_VERDICTS = {True: 'holds', False: 'does not hold', None: 'not run'}


def number_rows(
    sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell],
) -> list[tuple[str, ...]]:
  """Returns a row for each cell that the paper has a number of; its readings share the row.

  The difference is ours less the paper's, in points; where two readings have different numbers,
  to each of them.
  """
  groups: dict[str, list[paper.Number]] = {}
  for number in sweep.numbers:
    groups.setdefault(json.dumps([number.cell, number.metric], sort_keys=True), []).append(number)
  rows = []
  for readings in groups.values():
    first = readings[0]
    name = ', '.join(f'{key} {value}' for key, value in first.cell.items())
    printed = list(dict.fromkeys(number.text() for number in readings))
    if len(printed) == 1:
      source = '' if first.reading in paper.READINGS else f' ({first.reading})'
      text = printed[0] + source
    else:
      text = 'readings disagree: ' + '; '.join(
          f'{number.text()} ({number.reading})' for number in readings)
    matching = [cell for cell in cells if paper.matches(cell.key, first.cell)]
    best = claims.best(sweep, cells, first.cell, first.metric)
    if not matching:
      rows.append((name, first.where, text, 'not run here', '', ''))
      continue
    if best is None:
      total = sum(len(cell.runs) for cell in matching)
      rows.append((name, first.where, text, missing(matching), '', f'0/{total}'))
      continue
    summary = best.summaries[first.metric]
    known = dict.fromkeys(number.value for number in readings if number.value is not None)
    differences = [f'{100 * summary.mean - value:+.2f}' for value in known]
    at = {key: value for key, value in best.key.items()
          if key not in first.cell and key in (sweep.tune, sweep.peak_over)}
    measured = (f'{100 * summary.mean:.2f} ± {100 * summary.deviation:.2f}'
                + (f' ({claims.name_of(at)})' if at else ''))
    rows.append((name, first.where, text, measured, ', '.join(differences),
                 f'{summary.runs}/{len(best.runs)}'))
  return rows


def doubts(sweep: experiment_file.Sweep) -> list[str]:
  """Returns what is said about the paper's numbers, each note with the numbers it is about."""
  notes: dict[str, list[str]] = {}
  for number in sweep.numbers:
    if number.note:
      about = ', '.join(f'{key} {value}' for key, value in number.cell.items())
      notes.setdefault(number.note, []).append(
          f'{about} ({number.reading})' if number.reading != 'both' else about)
  return [f'{note} ({"; ".join(about)})' for note, about in notes.items()]


def claim_rows(
    sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell],
) -> list[tuple[str, str, str, str]]:
  """Returns a row for each claim: the claim, its evidence in the paper, ours, the verdict."""
  rows = []
  for claim in sweep.claims:
    verdict = claim.check(sweep, cells)
    rows.append((claim.text, claim.evidence, verdict.ours, _VERDICTS[verdict.holds]))
  return rows


def peak_rows(
    sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell],
) -> tuple[list[str], list[list[str]]]:
  """Returns a header and a row for each group of cells that differ in `peak_over` and `tune` only.

  The best over both, for each metric.
  """
  metrics = (sweep.metric, *sweep.others)
  groups: dict[str, list[reduction.Cell]] = {}
  for cell in cells:
    rest = {k: v for k, v in cell.key.items() if k not in (sweep.tune, sweep.peak_over)}
    groups.setdefault(json.dumps(rest), []).append(cell)
  keys = list(dict.fromkeys(key for name in groups for key in json.loads(name)))
  rows = []
  for name, group in groups.items():
    rest = json.loads(name)
    row = [str(rest.get(key, '')) for key in keys]
    for metric in metrics:
      best = claims.best(sweep, group, {}, metric)
      if best is None:
        row.append(missing(group))
        continue
      summary = best.summaries[metric]
      at = ', '.join(f'{key} {best.key[key]:g}' for key in (sweep.peak_over, sweep.tune) if key)
      row.append(f'{reduction.format_value(metric, summary.mean)} ± '
                 f'{reduction.format_value(metric, summary.deviation)} ({at})')
    runs = [run for cell in group for run in cell.runs]
    done = sum(run.done for run in runs)
    rows.append([*row, f'{done}/{len(runs)}'])
  return [*keys, *(f'peak {metric}' for metric in metrics), 'runs done'], rows


def edges(sweep: experiment_file.Sweep, cells: Sequence[reduction.Cell]) -> list[str]:
  """Returns the grids whose best value still lies on an edge, as text."""
  if not (sweep.tune and sweep.tune_factor):
    return []
  return [', '.join(f'{k} {v}' for k, v in group[0].key.items() if k != sweep.tune)
          for group in reduction.groups_of(cells, sweep.tune) if tuning.on_edge(group, sweep)]


def missing(group: Sequence[reduction.Cell]) -> str:
  """Returns why a group has no value of a metric: no run of it, all diverged, or no such metric."""
  statuses = {run.status for cell in group for run in cell.runs}
  if statuses == {'diverged'}:
    return 'diverged'
  return '-' if 'finished' in statuses else 'no run'
