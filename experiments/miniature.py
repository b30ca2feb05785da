"""What the miniatures of papers share: differences between kinds of runs, and runs kept as data."""

from collections.abc import Mapping
from collections.abc import Sequence
import csv
import dataclasses
import json
import math
import os
import pathlib

import numpy as np

from nfnets_am.core import quantities
from nfnets_am.reporting import evidence
from nfnets_am.reporting.claims import judging
from nfnets_am.sweeps import differences
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction

RULE = (
    'Differences are paired by seed. Their standard error has two parts: over the seeds, and over '
    'test sets, as of two networks that see different images, since predictions are not kept. What '
    'is over two standard errors "holds" on the side that the paper says, and "does not hold" on '
    'the other; the rest is "not resolved". A difference of the size that "could be seen" would '
    'count in four of five repetitions.')
# What `columns` returns.
HEADER = ('difference', 'runs', 'seed error', 'test set error', 'could be seen', 'here')


def difference(more: reduction.Cell | None, less: reduction.Cell | None, metric: str
               ) -> differences.Difference | None:
  """Returns `more` less `less` over the seeds that finished in both; None if there is none.

  It is turned so that better is over 0. Pairing takes out of the seeds' error what both have in
  common; the error of a test set is that of reduction.Summary.measured.
  """
  a, b = ({run.cell['seed']: run.final for run in (cell.runs if cell else ())
           if metric in run.final} for cell in (more, less))
  seeds = sorted(a.keys() & b.keys())
  if not seeds:
    return None
  values = [quantities.of(metric).sign * (a[seed][metric] - b[seed][metric]) for seed in seeds]
  sampling = [_summary([side[seed] for seed in seeds], metric).measured(metric).sampling
              for side in (a, b)]
  return differences.Difference(
      float(np.mean(values)),
      None if len(seeds) < 2 else float(np.std(values, ddof=1) / len(seeds) ** 0.5),
      math.hypot(*sampling), len(seeds), metric)


def _summary(ends: Sequence[Mapping[str, float]], metric: str) -> reduction.Summary:
  values = [end[metric] for end in ends]
  examples = ends[0].get(metric.partition('/')[0] + '/images', 0)
  return reduction.Summary(float(np.mean(values)), float(np.std(values)), len(values),
                           int(examples))


def columns(found: differences.Difference | None, sign: int = 1) -> list[str]:
  """Returns the texts of HEADER.

  Args:
    found: of `difference`.
    sign: -1 where the paper says that the difference is the other way.
  """
  if found is None:
    return ['no runs', *[''] * (len(HEADER) - 2), paper.NOT_RUN]
  shown = evidence.columns(found)
  judged = dataclasses.replace(found, value=sign * found.value)
  return [*shown, judging.of_side(judged, '').outcome]


class Recorded:
  """Runs from the .csv of an earlier report, in the place of outcomes.Reader.

  Args:
    path: of the file; each line is a run.
    facts: 'split/images' -> N, which the file does not have.
  """

  def __init__(self, path: str | os.PathLike, facts: Mapping[str, float]):
    with open(path, newline='') as f:
      self._rows = list(csv.DictReader(f))
    self._facts = facts

  def read(self, run: experiment_file.Run) -> outcomes.RunResult:
    """Returns a run of a sweep as its line tells it; one without a line is missing."""
    row = next((row for row in self._rows if all(
        row.get(key) == str(value) for key, value in run.cell.items())), None)
    if row is None:
      return outcomes.RunResult(run.cell, 'missing')
    final = {key: float(value) for key, value in row.items() if '/' in key and value}
    derived = {'updates': int(row['updates']), 'views': int(row['views_per_update'])} if (
        row['updates']) else {}
    return outcomes.RunResult(run.cell, row['status'], row['reason'], derived,
                              final | self._facts if final else {})


def how_made(results: reduction.Results, workdir: pathlib.Path, *, experiment: str, report: str,
             flags: str, scale: str, name: str, picture: str) -> list[str]:
  """Returns the lines of a page that say by which commands and commits it was made.

  Args:
    results: of the sweep, in `workdir`.
    experiment: file of the sweep.
    report: module that writes the page, with `flags` behind its workdir.
    scale: of the sweep.
    name: of the data and the picture beside the page.
    picture: what it shows.
  """
  extra = f' --scale={scale}' if scale != 'small' else ''
  done = sum(run.status == 'finished' for run in results.runs)
  return [
      '## How the numbers were made', '', '```',
      f'python -m launch.sweep --experiment={experiment} --workdir={workdir}{extra} --jobs=2',
      f'python -m {report} --workdir={workdir} {flags}{extra}', '```', '',
      f'{done} of {len(results.runs)} runs are finished. The first command again trains the '
      'others, the second then writes this page anew.' if done < len(results.runs) else
      f'All {done} runs finished.', '',
      f'Commits that trained the runs: {", ".join(commits(workdir)) or "none yet"}. '
      f'Every run is a line of [{name}.csv]({name}.csv).', '', f'![{picture}]({name}.png)', '']


def commits(workdir: pathlib.Path) -> list[str]:
  """Returns the commits of the starts of a workdir's runs, in order of their first appearance."""
  found: dict[str, None] = {}
  for path in sorted(workdir.glob('*/run.json'), key=lambda path: path.stat().st_mtime):
    for start in json.loads(path.read_text())['starts']:
      commit, _, changes = start['commit'].partition('+')
      found[f'`{commit[:10]}`' + (' with changes' if changes else '')] = None
  return list(found)
