"""The paper's numbers and claims beside ours, as rows of tables."""

from collections.abc import Sequence
import json

from nfnets_am.core import quantities
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.sweeps import tuning

NUMBER_HEADER = ('cell', 'where', 'paper', 'measured', 'difference', 'runs')
CLAIM_HEADER = ('claim', "the paper's evidence", 'ours', 'verdict')
_VERDICTS = {True: 'holds', False: 'does not hold', None: 'not run'}


def number_rows(results: reduction.Results) -> list[tuple[str, ...]]:
  """Returns a row for each cell that the paper has a number of; its readings share the row.

  The difference is ours less the paper's, in points; where two readings have different numbers,
  to each of them.
  """
  sweep = results.sweep
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
    matching = results.matching(first.cell)
    best = results.best(first.cell, first.metric)
    if not matching:
      rows.append((name, first.where, text, 'not run here', '', ''))
      continue
    if best is None:
      total = sum(cell.counted for cell in matching)
      rows.append((name, first.where, text, missing(matching), '', f'0/{total}'))
      continue
    summary = best.summaries[first.metric]
    known = dict.fromkeys(number.value for number in readings if number.value is not None)
    quantity = quantities.of(first.metric)
    mean, deviation = quantity.scale * summary.mean, quantity.scale * summary.deviation
    differences = [f'{mean - value:+{quantity.digits}}' for value in known]
    at = {key: value for key, value in best.key.items()
          if key not in first.cell and key in (sweep.tune, sweep.peak_over)}
    spread = f' ± {deviation:{quantity.digits}}' if summary.runs > 1 else ''
    measured = (f'{mean:{quantity.digits}}{spread}'
                + (f' ({claims.name_of(at)})' if at else ''))
    rows.append((name, first.where, text, measured, ', '.join(differences),
                 f'{summary.runs}/{best.counted}'))
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


def claim_rows(results: reduction.Results) -> list[tuple[str, str, str, str]]:
  """Returns a row for each claim: the claim, its evidence in the paper, ours, the verdict."""
  rows = []
  for claim in results.sweep.claims:
    verdict = claim.check(results)
    rows.append((claim.text, claim.evidence, verdict.ours, _VERDICTS[verdict.holds]))
  return rows


def peak_rows(results: reduction.Results) -> tuple[list[str], list[list[str]]]:
  """Returns a header and a row for each group of cells that differ in `peak_over` and `tune` only.

  The best over both, for each metric.
  """
  sweep = results.sweep
  metrics, over = (sweep.metric, *sweep.others), (sweep.peak_over, sweep.tune)
  keys = [key for key in keys_of(results) if key not in over]
  rows = []
  for group in reduction.groups_of(results.cells, *over):
    row = [str(group[0].key.get(key, '')) for key in keys]
    for metric in metrics:
      best = results.best_of(group, metric)
      row.append(missing(group) if best is None else f'{best.summaries[metric].text(metric)} (' +
                 ', '.join(f'{key} {best.key[key]:g}' for key in over if key) + ')')
    runs = [run for cell in group for run in cell.runs]
    rows.append([*row, f'{sum(run.done for run in runs)}/{len(runs)}'])
  return [*keys, *(f'best {metric}' for metric in metrics), 'runs done'], rows


def keys_of(results: reduction.Results) -> list[str]:
  """Returns the keys that cells have, in the order of their first ones."""
  return list(dict.fromkeys(key for cell in results.cells for key in cell.key))


def edges(results: reduction.Results) -> list[str]:
  """Returns the grids whose best value still lies on an edge, as text."""
  sweep = results.sweep
  if not (sweep.tune and sweep.tune_factor):
    return []
  return [', '.join(f'{k} {v}' for k, v in group[0].key.items() if k != sweep.tune)
          for group in results.grids if tuning.on_edge(group, sweep)]


def missing(group: Sequence[reduction.Cell]) -> str:
  """Returns why a group has no value of a metric: no run of it, all diverged, or no such metric."""
  statuses = {run.status for cell in group for run in cell.runs}
  if statuses == {'diverged'}:
    return 'diverged'
  return '-' if 'finished' in statuses else 'no run'
