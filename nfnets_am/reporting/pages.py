"""The pages of a report: one for an experiment, one for all experiments of a folder."""

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
from nfnets_am.reporting import pictures
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.sweeps import tuning


def read(path: str | os.PathLike, workdir: str | os.PathLike, scale: str = '',
         overrides: Mapping[str, Any] | None = None) -> reduction.Results:
  """Returns an experiment's reduced runs, those that tuning has added among them."""
  return tuning.results(path, scale, outcomes.Reader(workdir), overrides)


def write(results: reduction.Results, folder: str | os.PathLike, name: str, command: str) -> None:
  """Writes folder/name.md, .csv and .png; the folder may be in a bucket."""
  folder = epath.Path(folder)
  folder.mkdir(parents=True, exist_ok=True)
  (folder / f'{name}.md').write_text(figures.markdown(results, command, f'{name}.png'))
  figures.write_csv(figures.csv_rows(results), folder / f'{name}.csv')
  pictures.draw(results, folder / f'{name}.png')


@dataclasses.dataclass(frozen=True)
class Summary:
  """What the page of all experiments says of their claims.

  Attributes:
    claims: rows of (experiment, claim, the paper's evidence, ours, verdict).
    counts: how many there are of each verdict, as text.
    path: of the page.
  """

  claims: Sequence[tuple[str, ...]]
  counts: str
  path: epath.Path


def write_all(experiments: str | os.PathLike, workdir: str | os.PathLike, scale: str, command: str,
              overrides: Mapping[str, Any] | None = None) -> Summary:
  """Writes workdir/report: a page for each experiment of a folder, and index.md.

  Raises:
    ConfigError: the folder holds no experiment. One that does not know the scale is named on the
      page.
  """
  folder, reader = epath.Path(workdir) / 'report', outcomes.Reader(workdir)
  numbers, claims, states = [], [], []
  for path in experiment_file.find(experiments):
    try:
      results = tuning.results(path, scale, reader, overrides)
    except errors.ConfigError as e:
      states.append((path.stem, str(e), '', '', ''))
      continue
    write(results, folder, path.stem, command)
    link = f'[{path.stem}]({path.stem}.md)'
    numbers += [(link, *row) for row in comparison.number_rows(results)]
    claims += [(path.stem, *row) for row in comparison.claim_rows(results)]
    statuses = [run.status for run in results.runs]
    states.append((link, results.sweep.title, str(len(statuses)),
                   *(str(statuses.count(status)) for status in run_folder.DONE)))
  verdicts = [row[-1] for row in claims]
  counts = ', '.join(f'{verdicts.count(verdict)} {verdict}'
                     for verdict in paper.VERDICTS)
  lines = [f'# All experiments of {experiments}', '', f'Written by `{command}`.', '',
           f'## Claims: {counts}', '',
           evidence.RULE, '',
           *figures.table_lines(('experiment', *comparison.CLAIM_HEADER), [
               (f'[{row[0]}]({row[0]}.md)', *row[1:]) for row in claims]),
           '## Numbers', '', evidence.NUMBERS_RULE, '',
           *figures.table_lines(('experiment', *comparison.NUMBER_HEADER), numbers),
           '## Runs', '', *figures.table_lines(
               ('experiment', 'title', 'runs', 'finished', 'diverged'), states)]
  page = folder / 'index.md'
  page.write_text('\n'.join(lines))
  return Summary(claims, counts, page)
