"""The paper's numbers and claims beside ours, as rows of tables."""

from collections.abc import Sequence
import json

from nfnets_am.core import quantities
from nfnets_am.reporting import claims
from nfnets_am.reporting import evidence
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.sweeps import tuning

NUMBER_HEADER = ('cell', 'where', 'paper', 'measured', 'difference', *evidence.HEADER[1:],
                 'epsilon', 'verdict')
CLAIM_HEADER = ('claim', "the paper's evidence", 'ours', *evidence.HEADER, 'verdict')
LITERATURE_HEADER = ('cell', 'where', 'value', 'source')


def number_rows(results: reduction.Results) -> list[tuple[str, ...]]:
  """Returns a row for each cell that the paper has a number of; its readings share the row.

  The difference is ours less the paper's, in points; where two readings have different numbers,
  to each of them, and so is the verdict. What others have measured and is not run here stands in
  `literature_rows`.
  """
  rows = []
  for readings in _groups(results.sweep):
    first = readings[0]
    matching = results.matching(first.cell)
    if not matching and first.reading not in paper.READINGS:
      continue
    printed = list(dict.fromkeys(number.text() for number in readings))
    source = '' if first.reading in paper.READINGS else f' ({first.reading})'
    text = printed[0] + source if len(printed) == 1 else 'readings disagree: ' + '; '.join(
        f'{number.text()} ({number.reading})' for number in readings)
    rows.append((_cell_name(first), first.where, text,
                 *_measured(results, matching, readings)))
  return rows


def _groups(sweep: experiment_file.Sweep) -> list[list[paper.Number]]:
  groups: dict[str, list[paper.Number]] = {}
  for number in sweep.numbers:
    groups.setdefault(json.dumps([number.cell, number.metric], sort_keys=True), []).append(number)
  return list(groups.values())


def _measured(results: reduction.Results, matching: Sequence[reduction.Cell],
              readings: Sequence[paper.Number]) -> tuple[str, ...]:
  """What a row of numbers has from 'measured' on."""
  first, sweep = readings[0], results.sweep
  epsilon = next((within for where, within in sweep.epsilons if paper.matches(first.cell, where)),
                 0.0)
  allowed = f'{epsilon:g}' if epsilon else ''
  best = results.best(first.cell, first.metric)
  if not matching:
    return (paper.NOT_HERE, '', '', '', '', '', allowed, paper.NOT_HERE)
  if best is None:
    total = sum(cell.counted for cell in matching)
    return (missing(matching), '', f'0/{total}', '', '', '', allowed, paper.NOT_RUN)
  summary, quantity = best.summaries[first.metric], quantities.of(first.metric)
  known = {number.value: number for number in readings if number.value is not None}
  found = [evidence.from_printed(best, number) for number in known.values()]
  at = {key: value for key, value in best.key.items()
        if key not in first.cell and key in (sweep.tune, sweep.peak_over)}
  spread = f' ± {quantity.scale * summary.deviation:{quantity.digits}}' if summary.runs > 1 else ''
  shown = (f'{quantity.scale * summary.mean:{quantity.digits}}{spread}'
           + (f' ({claims.name_of(at)})' if at else ''))
  _, _, *errors = evidence.columns(found[0]) if found else [''] * len(evidence.HEADER)
  verdicts = [evidence.beside(one, epsilon) for one in found]
  verdict = verdicts[0] if len(set(verdicts)) == 1 else '; '.join(
      f'{verdict} ({value:g})' for verdict, value in zip(verdicts, known, strict=True))
  return (shown, ', '.join(evidence.signed(one) for one in found),
          f'{summary.runs}/{best.counted}', *errors, allowed, verdict)


def literature_rows(results: reduction.Results) -> list[tuple[str, ...]]:
  """Returns a row for each number that others have measured and that no cell here repeats."""
  return [(_cell_name(number), number.where, number.text(), number.reading)
          for number in results.sweep.numbers
          if number.reading not in paper.READINGS and not results.matching(number.cell)]


def _cell_name(number: paper.Number) -> str:
  return ', '.join(f'{key} {value}' for key, value in number.cell.items())


def doubts(sweep: experiment_file.Sweep) -> list[str]:
  """Returns what is said about the paper's numbers, each note with the numbers it is about."""
  notes: dict[str, list[str]] = {}
  for number in sweep.numbers:
    if number.note:
      about = ', '.join(f'{key} {value}' for key, value in number.cell.items())
      notes.setdefault(number.note, []).append(
          f'{about} ({number.reading})' if number.reading != 'both' else about)
  return [f'{note} ({"; ".join(about)})' for note, about in notes.items()]


def claim_rows(results: reduction.Results) -> list[tuple[str, ...]]:
  """Returns a row for each claim: the claim, its evidence in the paper, ours, its verdict."""
  rows = []
  for claim in results.sweep.claims:
    verdict = claim.check(results)
    rows.append((claim.text, claim.evidence, verdict.ours, *evidence.columns(verdict.difference),
                 verdict.outcome))
  return rows


def peak_rows(results: reduction.Results) -> tuple[list[str], list[list[str]]]:
  """Returns a header and a row for each group of cells that differ in `peak_over` and `tune` only.

  The best over both, for each metric; a best on the edge of `peak_over` may lie beyond it.
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
                 ', '.join(f'{key} {best.key[key]:g}' for key in over if key) + ')'
                 + _edge(best, group, sweep.peak_over))
    runs = [run for cell in group for run in cell.runs]
    rows.append([*row, f'{sum(run.done for run in runs)}/{len(runs)}'])
  return [*keys, *(f'peak {metric}' for metric in metrics), 'runs done'], rows


def _edge(best: reduction.Cell, group: Sequence[reduction.Cell], key: str) -> str:
  values = sorted({cell.key[key] for cell in group})
  if len(values) < 2 or values[0] < best.key[key] < values[-1]:
    return ''
  return f', the {"least" if best.key[key] == values[0] else "largest"} {key} there are'


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
