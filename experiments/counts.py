"""Writes the counts of runs, views and FLOPs in docs/experiments.md, as the experiments have them.

    python -m experiments.counts

A table stands between a line `<!-- counts of FOLDER -->` and the next `<!-- end of counts -->`.
"""

import pathlib
import re

from nfnets_am.core import cli
from nfnets_am.reporting import figures
from nfnets_am.sweeps import catalogue
from nfnets_am.sweeps import experiment_file

DOCUMENT = pathlib.Path(__file__).parents[1] / 'docs' / 'experiments.md'
_HEADER = ('experiment', 'model', 'data', 'runs', 'views', 'training FLOPs')
_PART = re.compile(r'(<!-- counts of (\w+) -->\n).*?(<!-- end of counts -->)', re.DOTALL)


def table(folder: pathlib.Path) -> str:
  """Returns the table of a folder's experiments, in Markdown."""
  rows = []
  for path in experiment_file.find(folder):
    entry = catalogue.read(path)
    rows.append(catalogue.row_of(path.stem, entry.models, entry.datasets, entry.runs, {}))
  return '\n'.join(figures.table_lines(_HEADER, rows)[:-1]) + '\n'


def written(text: str) -> str:
  """Returns a document's text with its tables made anew."""
  folder = pathlib.Path(__file__).parent
  return _PART.sub(
      lambda part: f'{part[1]}\n{table(folder / part[2])}\n{part[3]}', text)


def main() -> None:
  DOCUMENT.write_text(written(DOCUMENT.read_text()))
  print(f'page {DOCUMENT}')


if __name__ == '__main__':
  cli.run(main)
