"""Reads the runs of an experiment and writes report.md, report.csv and report.png.

    python -m nfnets_am.report --experiment=experiments/quickstart.py --workdir=runs/quickstart
    python -m nfnets_am.report --all --experiments=experiments/fort2021 --workdir=runs/fort2021

The second writes the same three for every experiment of a folder into WORKDIR/report, and one page
with all numbers and claims, WORKDIR/report/index.md. Runs that are missing, diverged or not
finished are named as such and never averaged.
"""

import csv
import pathlib

from absl import flags
from rich import console
from rich import table

from nfnets_am import cli
from nfnets_am import comparison
from nfnets_am import errors
from nfnets_am import experiment_file
from nfnets_am import figures
from nfnets_am import reduction
from nfnets_am import tuning

_EXPERIMENT = flags.DEFINE_string('experiment', None, 'Experiment file with a get_sweep().')
_EXPERIMENTS = flags.DEFINE_string('experiments', None, 'With --all: a folder of such files.')
_ALL = flags.DEFINE_bool('all', False, 'One page for all experiments of a folder.')
_WORKDIR = flags.DEFINE_string('workdir', None, "The sweep's folder; each run is a folder in it.")
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")


def main() -> None:
  if _ALL.value == bool(_EXPERIMENT.value) or _ALL.value != bool(_EXPERIMENTS.value):
    raise errors.UserError('say either --experiment=FILE, or --all and --experiments=FOLDER')
  workdir = pathlib.Path(_WORKDIR.value)
  if _ALL.value:
    _report_all(pathlib.Path(_EXPERIMENTS.value), workdir)
    return
  sweep, cells = read(_EXPERIMENT.value, workdir, _SCALE.value)
  write(sweep, cells, workdir, 'report', _command(f'--experiment={_EXPERIMENT.value}'))
  header, rows = figures.table_of(sweep, cells)
  printed = table.Table(*header, title=sweep.title, caption=figures.caption(sweep))
  for row in rows:
    printed.add_row(*row)
  out = _console()
  out.print(printed)
  out.print(f'table {workdir / "report.md"}\ndata  {workdir / "report.csv"}', highlight=False)
  out.print(f'picture {workdir / "report.png"}', highlight=False, soft_wrap=True)


def read(path: str | pathlib.Path, workdir: pathlib.Path, scale: str = ''
         ) -> tuple[experiment_file.Sweep, list[reduction.Cell]]:
  """Returns an experiment's sweep, with the cells that tuning has added, and its reduced cells."""
  sweep = tuning.extended(path, experiment_file.get_sweep(path, scale), workdir)
  return sweep, reduction.reduce(sweep, experiment_file.get_runs(path, sweep), workdir)


def write(sweep: experiment_file.Sweep, cells: list[reduction.Cell], folder: pathlib.Path,
          name: str, command: str) -> None:
  """Writes folder/name.md, .csv and .png."""
  folder.mkdir(parents=True, exist_ok=True)
  header, rows = figures.table_of(sweep, cells)
  (folder / f'{name}.md').write_text(
      figures.markdown(sweep, cells, header, rows, command, f'{name}.png'))
  with open(folder / f'{name}.csv', 'w', newline='') as f:
    csv.writer(f).writerows(figures.csv_rows(sweep, cells))
  figures.picture(sweep, cells, folder / f'{name}.png')


def _report_all(experiments: pathlib.Path, workdir: pathlib.Path) -> None:
  folder = workdir / 'report'
  command = _command(f'--all --experiments={experiments}')
  numbers, claims, states = [], [], []
  for path in experiment_file.find(experiments):
    sweep, cells = read(path, workdir, _SCALE.value)
    write(sweep, cells, folder, path.stem, command)
    link = f'[{path.stem}]({path.stem}.md)'
    numbers += [(link, *row) for row in comparison.number_rows(sweep, cells)]
    claims += [(link, *row) for row in comparison.claim_rows(sweep, cells)]
    runs = [run for cell in cells for run in cell.runs]
    finished, diverged = (sum(run.status == s for run in runs) for s in ('finished', 'diverged'))
    states.append((link, sweep.title, str(len(runs)), str(finished), str(diverged)))
  verdicts = [row[-1] for row in claims]
  counts = ', '.join(f'{verdicts.count(verdict)} {verdict}'
                     for verdict in ('holds', 'does not hold', 'not run'))
  lines = [f'# All experiments of {experiments}', '', f'Written by `{command}`.', '',
           f'## Claims: {counts}', '',
           'A difference counts if it is over twice its standard error (0 for single runs).', '',
           *figures.table_lines(('experiment', *comparison.CLAIM_HEADER), claims),
           '## Numbers', '',
           *figures.table_lines(('experiment', *comparison.NUMBER_HEADER), numbers),
           '## Runs', '', *figures.table_lines(
               ('experiment', 'title', 'runs', 'finished', 'diverged'), states)]
  (folder / 'index.md').write_text('\n'.join(lines))
  printed = table.Table('experiment', 'claim', 'ours', 'verdict', title=f'Claims: {counts}')
  for link, claim, _, ours, verdict in claims:
    printed.add_row(link[1:link.index(']')], claim, ours, verdict)
  out = _console()
  out.print(printed)
  out.print(f'page {folder / "index.md"}', highlight=False, soft_wrap=True)


def _command(what: str) -> str:
  scale = f' --scale={_SCALE.value}' if _SCALE.value else ''
  return f'python -m nfnets_am.report {what} --workdir={_WORKDIR.value}{scale}'


def _console() -> console.Console:
  out = console.Console()
  return out if out.is_terminal else console.Console(width=120)


if __name__ == '__main__':
  flags.mark_flag_as_required('workdir')
  cli.run(main)
