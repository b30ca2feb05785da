"""Reads the runs of an experiment NAME.py and writes NAME.md, .csv and .png into WORKDIR/report.

    python -m nfnets_am.report --experiment=experiments/quickstart.py --workdir=runs/quickstart
    python -m nfnets_am.report --all --experiments=experiments/fort2021 --workdir=runs/fort2021

The second writes the same three for every experiment of a folder, and one page with all numbers and
claims, WORKDIR/report/index.md. With --html all of it is one file too, NAME.html or index.html,
which needs nothing beside it: tables that sort, and pictures as SVG. Runs that are missing,
diverged or not finished are named as such and never averaged. --scale and --set are those that the
sweep was launched with.
"""

import pathlib
import shlex

from absl import flags
from rich import table

from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal
from nfnets_am.reporting import comparison
from nfnets_am.reporting import figures
from nfnets_am.reporting import pages
from nfnets_am.sweeps import experiment_file

_EXPERIMENT = flags.DEFINE_string('experiment', None, 'Experiment file with a get_sweep().')
_EXPERIMENTS = flags.DEFINE_string('experiments', None, 'With --all: a folder of such files.')
_ALL = flags.DEFINE_bool('all', False, 'One page for all experiments of a folder.')
_WORKDIR = flags.DEFINE_string(
    'workdir', None, "The sweep's folder or gs:// address; each run is a folder in it.")
_HTML = flags.DEFINE_bool('html', False, 'Also write one HTML file that holds all of it.')
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")
_SET = flags.DEFINE_multi_string('set', [], 'KEY=VALUE as the sweep was launched with; repeatable.')


def main() -> None:
  if _ALL.value == bool(_EXPERIMENT.value) or _ALL.value != bool(_EXPERIMENTS.value):
    raise errors.UserError('say either --experiment=FILE, or --all and --experiments=FOLDER')
  if _ALL.value:
    _report_all()
    return
  results = pages.read(_EXPERIMENT.value, _WORKDIR.value, _SCALE.value,
                       experiment_file.parse_overrides(_SET.value))
  folder, name = pages.report_folder(_WORKDIR.value), pathlib.Path(_EXPERIMENT.value).stem
  write = pages.write_html if _HTML.value else pages.write
  write(results, folder, name, _command(f'--experiment={_EXPERIMENT.value}'))
  header, rows = figures.table_of(results)
  caption = ' '.join([figures.caption(results.sweep), *figures.selected(results)])
  printed = table.Table(*header, title=results.sweep.title, caption=caption)
  for row in rows:
    printed.add_row(*row)
  out = terminal.Terminal(width=120)
  out.print(printed)
  files = (('page', 'html'), ('text', 'md'), ('data', 'csv'), ('picture', 'svg')) if (
      _HTML.value) else (('page', 'md'), ('data', 'csv'), ('picture', 'png'))
  for what, suffix in files:
    out.print(f'{what:7} {folder / f"{name}.{suffix}"}', soft_wrap=True)


def _report_all() -> None:
  summary = pages.write_all(_EXPERIMENTS.value, _WORKDIR.value, _SCALE.value,
                            _command(f'--all --experiments={_EXPERIMENTS.value}'),
                            experiment_file.parse_overrides(_SET.value), _HTML.value)
  shown = ('claim', 'ours', 'verdict')
  printed = table.Table('experiment', *shown, title=f'Claims: {summary.counts}')
  for experiment, *row in summary.claims:
    claim = dict(zip(comparison.CLAIM_HEADER, row, strict=True))
    printed.add_row(experiment, *(claim[key] for key in shown))
  out = terminal.Terminal(width=120)
  out.print(printed)
  out.print(f'page {summary.path}', soft_wrap=True)


def _command(what: str) -> str:
  scale = f' --scale={_SCALE.value}' if _SCALE.value else ''
  changes = ''.join(f' --set={shlex.quote(text)}' for text in _SET.value)
  drawn = ' --html' * _HTML.value
  return f'python -m nfnets_am.report {what} --workdir={_WORKDIR.value}{scale}{changes}{drawn}'



if __name__ == '__main__':
  flags.mark_flag_as_required('workdir')
  cli.run(main)
