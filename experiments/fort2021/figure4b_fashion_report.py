"""Writes figure4b_fashion.md, .csv and .png from the runs of figure4b_fashion.py.

    python -m experiments.fort2021.figure4b_fashion_report --workdir=runs/figure4b_fashion \\
        --out=docs/results

It is the experiment's report, and what its runs took, in hours of which card.
"""

from collections.abc import Sequence
import pathlib

from absl import flags

from nfnets_am.core import cli
from nfnets_am.reporting import figures
from nfnets_am.reporting import pages
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_NAME = 'figure4b_fashion'
_PATH = pathlib.Path(__file__).with_name(f'{_NAME}.py')


def main() -> None:
  workdir, scale = flags.FLAGS.workdir, flags.FLAGS.scale
  out = pathlib.Path(flags.FLAGS.out)
  results = pages.read(_PATH, workdir, scale)
  command = f'python -m experiments.fort2021.{_NAME}_report --workdir={workdir} --out={out}'
  text = pages.write(results, out, _NAME, command + f' --scale={scale}' * bool(scale))
  (out / f'{_NAME}.md').write_text(text.rstrip('\n') + '\n\n' + '\n'.join(hours(results)))
  print(f'page    {out / _NAME}.md\ndata    {out / _NAME}.csv\npicture {out / _NAME}.png')


def hours(results: reduction.Results) -> list[str]:
  """Returns the lines that say what the runs took, and on what."""
  groups: dict[tuple[str, str], list[outcomes.RunResult]] = {}
  for cell in results.cells:
    key = str(cell.key['multiplicity']), f'{cell.key["updates"]:,}'
    groups.setdefault(key, []).extend(cell.runs)
  rows = [[*key, *_took(runs)] for key, runs in groups.items()]
  rows.append(['all', '', *_took(results.runs)])
  done = sum(run.status == 'finished' for run in results.runs)
  commits = dict.fromkeys(
      commit[:10] for run in results.runs for commit in run.origin.get('commit', '').split())
  return [
      '## Hours and card', '',
      f'{done} of {len(results.runs)} runs are finished. Hours are of all learning rates and '
      'seeds, from the start of a run to its end; a start that was killed has none, and they are '
      'more than what is said then.', '',
      *figures.table_lines(['multiplicity', 'updates', 'runs', 'hours', 'hardware'], rows),
      f'Commits that trained the runs: {", ".join(f"`{one}`" for one in commits) or "none yet"}.',
      '']


def _took(runs: Sequence[outcomes.RunResult]) -> list[str]:
  """Returns how many runs have begun, their hours, and the hardware of all."""
  told = [run.origin for run in runs if run.origin]
  least = any(origin['hours'].startswith('> ') for origin in told)
  total = sum(float(origin['hours'].removeprefix('> ')) for origin in told)
  hardware = dict.fromkeys(origin['hardware'] for origin in told if origin['hardware'])
  return [f'{len(told)}/{len(runs)}', '> ' * least + f'{total:.3g}', ', '.join(hardware) or 'none']


if __name__ == '__main__':
  flags.DEFINE_string('workdir', None, 'Of the sweep of figure4b_fashion.py.')
  flags.DEFINE_string('out', 'docs/results', 'Folder for the page, the data and the picture.')
  flags.DEFINE_enum('scale', '', ['', 'validation', 'smoke'], 'Of figure4b_fashion.py.')
  flags.mark_flags_as_required(['workdir'])
  cli.run(main)
