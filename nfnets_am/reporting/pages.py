"""The pages of a report: one for an experiment, one for all experiments of a folder."""

import collections
from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import os
from typing import Any

from etils import epath

from nfnets_am.core import errors
from nfnets_am.reporting import comparison
from nfnets_am.reporting import evidence
from nfnets_am.reporting import figures
from nfnets_am.reporting import forgotten
from nfnets_am.reporting import pictures
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.sweeps import tuning


def read(path: str | os.PathLike, workdir: str | os.PathLike, scale: str = '',
         overrides: Mapping[str, Any] | None = None) -> reduction.Results:
  """Returns an experiment's reduced runs, those that tuning has added among them.

  Raises:
    UserError: there is no such folder, or it holds runs of this experiment that were launched with
      another scale or other overrides, and none that is asked for.
    ConfigError: an unknown experiment, scale or key.
  """
  reader = outcomes.Reader(forgotten.folder(workdir))
  return _read(path, scale, reader, forgotten.Launched(workdir), overrides)


def _read(path: str | os.PathLike, scale: str, reader: outcomes.Reader,
          launched: forgotten.Launched, overrides: Mapping[str, Any] | None) -> reduction.Results:
  results = tuning.results(path, scale, reader, overrides)
  launched.check(results, path)
  return results


def report_folder(workdir: str | os.PathLike) -> epath.Path:
  """Returns where the pages of a sweep's folder are written; raises UserError without a folder."""
  return forgotten.folder(workdir) / 'report'


def write(results: reduction.Results, folder: str | os.PathLike, name: str, command: str) -> None:
  """Writes folder/name.md, .csv and .png; the folder may be in a bucket.

  Args:
    results: of the experiment.
    folder: made if it is missing.
    name: of the experiment, which no other of the folder has.
    command: that writes this page.
  """
  folder = epath.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  (folder / f'{name}.md').write_text(figures.markdown(results, command, f'{name}.png'))
  figures.write_csv(figures.csv_rows(results), folder / f'{name}.csv')
  pictures.draw(results, folder / f'{name}.png')


@dataclasses.dataclass(frozen=True)
class Summary:
  """What the page of all experiments says of their claims.

  Attributes:
    claims: an experiment's name, then what comparison.CLAIM_HEADER says, for each claim.
    counts: how many there are of each verdict, as text; smoke runs have none.
    path: of the page.
  """

  claims: Sequence[tuple[str, ...]]
  counts: str
  path: epath.Path


def write_all(experiments: str | os.PathLike, workdir: str | os.PathLike, scale: str, command: str,
              overrides: Mapping[str, Any] | None = None) -> Summary:
  """Writes workdir/report: a page for each experiment of a folder, and index.md.

  An experiment that does not know the scale, or whose runs were launched with other flags, is named
  on the page. Smoke runs are no results: their claims have no verdict, and are not counted.

  Raises:
    ConfigError: the folder holds no experiment.
    UserError: there is no such workdir.
  """
  folder = report_folder(workdir)
  reader, launched = outcomes.Reader(workdir), forgotten.Launched(workdir)
  numbers, claims, states = [], [], []
  for path in experiment_file.find(experiments):
    try:
      results = _read(path, scale, reader, launched, overrides)
    except errors.UserError as e:
      states.append((path.stem, str(e), '', '', ''))
      continue
    write(results, folder, path.stem, command)
    link = f'[{path.stem}]({path.stem}.md)'
    numbers += [(link, *row) for row in figures.number_table(results)[1]]
    claims += [(path.stem, *row) for row in figures.claim_table(results)[1]]
    statuses = [run.status for run in results.runs]
    states.append((link, results.sweep.title, str(len(statuses)),
                   *(str(statuses.count(status)) for status in run_folder.DONE)))
  place = 1 + comparison.CLAIM_HEADER.index('verdict')
  counted = collections.Counter(row[place] for row in claims)
  counts = ', '.join(
      f'{counted[verdict]} {verdict}' for verdict in dict.fromkeys((*paper.VERDICTS, *counted)))
  lines = [f'# All experiments of {experiments}', '', f'Written by `{command}`.', '',
           f'## Claims: {counts}', '',
           evidence.RULE, '',
           *figures.table_lines(('experiment', *comparison.CLAIM_HEADER), [
               (f'[{row[0]}]({row[0]}.md)', *row[1:]) for row in claims]),
           '## Numbers', '', evidence.NUMBERS_RULE, '',
           *figures.table_lines(('experiment', *comparison.NUMBER_HEADER), numbers),
           '## Runs', '', *figures.table_lines(
               ('experiment', 'title', 'runs', 'finished', 'diverged'), states)]
  folder.mkdir(exist_ok=True)
  page = folder / 'index.md'
  page.write_text('\n'.join(lines))
  return Summary(claims, counts, page)
