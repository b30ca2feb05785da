"""Reads the runs of an experiment and writes report.md, report.csv and report.png.

    python -m nfnets_am.report --experiment=experiments/quickstart.py --workdir=runs/quickstart

Runs that are missing, diverged or not finished are named as such and never averaged.
"""

import csv
import pathlib

from absl import flags
from rich import console
from rich import table

from nfnets_am import cli
from nfnets_am import experiment_file
from nfnets_am import figures
from nfnets_am import reduction

_EXPERIMENT = flags.DEFINE_string('experiment', None, 'Experiment file with a get_sweep().')
_WORKDIR = flags.DEFINE_string('workdir', None, "The sweep's folder; each run is a folder in it.")
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")


def main() -> None:
  sweep = experiment_file.get_sweep(_EXPERIMENT.value, _SCALE.value)
  workdir = pathlib.Path(_WORKDIR.value)
  runs = experiment_file.get_runs(_EXPERIMENT.value, sweep)
  cells = reduction.reduce(sweep, runs, workdir)
  workdir.mkdir(parents=True, exist_ok=True)
  header, rows = figures.table_of(sweep, cells)
  command = (f'python -m nfnets_am.report --experiment={_EXPERIMENT.value} --workdir={workdir}'
             + (f' --scale={_SCALE.value}' if _SCALE.value else ''))
  (workdir / 'report.md').write_text(
      figures.markdown(sweep, cells, header, rows, command))
  with open(workdir / 'report.csv', 'w', newline='') as f:
    csv.writer(f).writerows(figures.csv_rows(sweep, cells))
  figures.picture(sweep, cells, workdir / 'report.png')

  printed = table.Table(*header, title=sweep.title, caption=figures.caption(sweep))
  for row in rows:
    printed.add_row(*row)
  out = console.Console()
  if not out.is_terminal:
    out = console.Console(width=120)
  out.print(printed)
  out.print(f'table {workdir / "report.md"}\ndata  {workdir / "report.csv"}', highlight=False)
  out.print(f'picture {workdir / "report.png"}', highlight=False, soft_wrap=True)


if __name__ == '__main__':
  flags.mark_flags_as_required(['experiment', 'workdir'])
  cli.run(main)
