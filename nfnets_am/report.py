"""Reads the runs of an experiment and writes report.md, report.csv and report.png.

    python -m nfnets_am.report --experiment=experiments/quickstart.py --workdir=runs/quickstart
    python -m nfnets_am.report --all --experiments=experiments/fort2021 --workdir=runs/fort2021

The second writes the same three for every experiment of a folder into WORKDIR/report, and one page
with all numbers and claims, WORKDIR/report/index.md. Runs that are missing, diverged or not
finished are named as such and never averaged.
"""

import shlex

from absl import flags
from etils import epath
from rich import table

from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal
from nfnets_am.reporting import figures
from nfnets_am.reporting import pages
from nfnets_am.sweeps import experiment_file

_EXPERIMENT = flags.DEFINE_string('experiment', None, 'Experiment file with a get_sweep().')
_EXPERIMENTS = flags.DEFINE_string('experiments', None, 'With --all: a folder of such files.')
_ALL = flags.DEFINE_bool('all', False, 'One page for all experiments of a folder.')
_WORKDIR = flags.DEFINE_string(
    'workdir', None, "The sweep's folder or gs:// address; each run is a folder in it.")
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")
_SET = flags.DEFINE_multi_string('set', [], 'KEY=VALUE as the sweep was launched with; repeatable.')


def main() -> None:
  if _ALL.value == bool(_EXPERIMENT.value) or _ALL.value != bool(_EXPERIMENTS.value):
    raise errors.UserError('say either --experiment=FILE, or --all and --experiments=FOLDER')
  if _ALL.value:
    _report_all()
    return
  workdir = epath.Path(_WORKDIR.value)
  results = pages.read(
      _EXPERIMENT.value, workdir, _SCALE.value, experiment_file.parse_overrides(_SET.value))
  pages.write(results, workdir, 'report', _command(f'--experiment={_EXPERIMENT.value}'))
  header, rows = figures.table_of(results)
  caption = ' '.join([figures.caption(results.sweep), *figures.selected(results)])
  printed = table.Table(*header, title=results.sweep.title, caption=caption)
  for row in rows:
    printed.add_row(*row)
  out = terminal.Terminal(width=120)
  out.print(printed)
  out.print(f'table {workdir / "report.md"}\ndata  {workdir / "report.csv"}')
  out.print(f'picture {workdir / "report.png"}', soft_wrap=True)


def _report_all() -> None:
  summary = pages.write_all(_EXPERIMENTS.value, _WORKDIR.value, _SCALE.value,
                            _command(f'--all --experiments={_EXPERIMENTS.value}'),
                            experiment_file.parse_overrides(_SET.value))
  printed = table.Table('experiment', 'claim', 'ours', 'verdict',
                        title=f'Claims: {summary.counts}')
  for experiment, claim, _, ours, *_, verdict in summary.claims:
    printed.add_row(experiment, claim, ours, verdict)
  out = terminal.Terminal(width=120)
  out.print(printed)
  out.print(f'page {summary.path}', soft_wrap=True)


def _command(what: str) -> str:
  scale = f' --scale={_SCALE.value}' if _SCALE.value else ''
  changes = ''.join(f' --set={shlex.quote(text)}' for text in _SET.value)
  return f'python -m nfnets_am.report {what} --workdir={_WORKDIR.value}{scale}{changes}'




if __name__ == '__main__':
  flags.mark_flag_as_required('workdir')
  cli.run(main)
