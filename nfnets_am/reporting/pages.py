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
from nfnets_am.reporting import web
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


def write(results: reduction.Results, folder: str | os.PathLike, name: str, command: str,
          drawn: str = 'png') -> str:
  """Writes folder/name.md, .csv and the picture; the folder may be in a bucket.

  Args:
    results: of the experiment.
    folder: made if it is missing.
    name: of the experiment, which no other of the folder has.
    command: that writes this page.
    drawn: 'png' or 'svg'.

  Returns:
    The page's text.
  """
  folder = epath.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  text = figures.markdown(results, command, f'{name}.{drawn}')
  (folder / f'{name}.md').write_text(text)
  figures.write_csv(figures.csv_rows(results), folder / f'{name}.csv')
  pictures.draw(results, folder / f'{name}.{drawn}')
  return text


def write_html(results: reduction.Results, folder: str | os.PathLike, name: str, command: str
               ) -> web.Section:
  """Writes what `write` does, with an .svg, and name.html, which holds all of it.

  Returns:
    The content of name.html, for a file of several experiments.
  """
  folder = epath.Path(folder)
  text = write(results, folder, name, command, 'svg')
  section = web.Section(name, text, (folder / f'{name}.svg').read_bytes(), _made(results))
  web.write(folder / f'{name}.html', results.sweep.title, [section])
  return section


def _made(results: reduction.Results) -> list[list[Any]]:
  """Returns the lines of the .csv without its metrics, of the runs that have ended."""
  header, *rows = figures.csv_rows(results)
  ended = [row for row, run in zip(rows, results.runs, strict=True)
           if run.status in run_folder.DONE]
  metrics = {results.sweep.metric, *results.sweep.others}
  kept = [i for i, name in enumerate(header) if name not in metrics]
  return [[row[i] for i in kept] for row in (header, *ended)]


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
              overrides: Mapping[str, Any] | None = None, as_html: bool = False) -> Summary:
  """Writes workdir/report: a page for each experiment of a folder, and index.md.

  With `as_html` each page is an HTML file too, and index.html holds all of them.

  An experiment that does not know the scale, or whose runs were launched with other flags, is named
  on the page. Smoke runs are no results: their claims have no verdict, and are not counted.

  Raises:
    ConfigError: the folder holds no experiment.
    UserError: there is no such workdir.
  """
  folder = report_folder(workdir)
  reader, launched = outcomes.Reader(workdir), forgotten.Launched(workdir)
  numbers, claims, states, sections = [], [], [], []
  for path in experiment_file.find(experiments):
    try:
      results = _read(path, scale, reader, launched, overrides)
    except errors.UserError as e:
      states.append((path.stem, str(e), '', '', ''))
      continue
    if as_html:
      sections.append(write_html(results, folder, path.stem, command))
    else:
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
  if as_html:
    index = web.Section('index', page.read_text())
    page = folder / 'index.html'
    web.write(page, f'All experiments of {experiments}', [index, *sections])
  return Summary(claims, counts, page)
