"""Writes summers2021_small.md, .csv and .png from the runs of small.py.

    python -m experiments.summers2021.small_report --workdir=runs/small --out=docs/results

Runs that are missing or not finished are named and never averaged.
"""

from collections.abc import Sequence
import csv
import pathlib

from absl import flags

from experiments import miniature
from experiments.summers2021 import recipes
from experiments.summers2021 import small
from experiments.summers2021 import small_claims
from nfnets_am.core import cli
from nfnets_am.core import quantities
from nfnets_am.reporting import figures
from nfnets_am.reporting import panels
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of the sweep of small.py.')
_OUT = flags.DEFINE_string('out', 'docs/results', 'Folder for the page, the data and the picture.')
_SCALE = flags.DEFINE_enum('scale', 'small', ['small', 'smoke'], 'Of small.py.')

_FOLDER = pathlib.Path(__file__).parent
_NAME = 'summers2021_small'
_METRICS = (small_claims.ACCURACY, small_claims.VALIDATION, small_claims.LOSS)


def main() -> None:
  workdir, out = pathlib.Path(_WORKDIR.value), pathlib.Path(_OUT.value)
  path = _FOLDER / 'small.py'
  sweep = experiment_file.get_sweep(path, _SCALE.value)
  results = reduction.reduce(
      sweep, experiment_file.get_runs(path, sweep), outcomes.Reader(workdir))
  out.mkdir(parents=True, exist_ok=True)
  (out / f'{_NAME}.md').write_text(page(results.cells, workdir))
  with open(out / f'{_NAME}.csv', 'w', newline='') as f:
    csv.writer(f).writerows(figures.csv_rows(results))
  draw(results.cells, out / f'{_NAME}.png')
  print(f'page    {out / _NAME}.md\ndata    {out / _NAME}.csv\npicture {out / _NAME}.png')


def page(cells: Sequence[reduction.Cell], workdir: pathlib.Path) -> str:
  """Returns the Markdown page."""
  scale = f' --scale={_SCALE.value}' if _SCALE.value != 'small' else ''
  rows = small_claims.claims(cells, small.PEAK)
  runs = [run for cell in cells for run in cell.runs]
  done = sum(run.status == 'finished' for run in runs)
  lines = [
      '# Ways to mix two images in miniature: Fashion-MNIST, 500 images, one CPU core', '',
      *(_FOLDER / 'small_notes.md').read_text().splitlines(), '',
      '## How the numbers were made', '', '```',
      f'python -m launch.sweep --experiment=experiments/summers2021/small.py --workdir={workdir}'
      f'{scale}',
      f'python -m experiments.summers2021.small_report --workdir={workdir} --out={_OUT.value}'
      f'{scale}', '```', '',
      f'{done} of {len(runs)} runs are finished. The first command again trains the others, the '
      'second then writes this page anew.' if done < len(runs) else f'All {done} runs finished.',
      '', f'Commits that trained the runs: {", ".join(miniature.commits(workdir)) or "none yet"}. '
      f'Every run is a line of [{_NAME}.csv]({_NAME}.csv).', '',
      f'![accuracy of all methods]({_NAME}.png)', '',
      '## Claims of section 2.4.2', '',
      f'{miniature.RULE} In all: {small_claims.counts(rows)}.', '']
  lines += figures.table_lines(['claim', 'compared here', *miniature.HEADER], rows)
  lines += ['## Methods', '',
            f'Mean ± standard deviation (ddof 0) of the finished runs at the rate {small.PEAK:g}, '
            'in the order of Table 2.1.', '']
  lines += figures.table_lines(
      ['method', 'test accuracy', 'validation accuracy', 'training loss', 'runs', 'state'],
      [_row(cell) for method in recipes.METHODS
       if (cell := small_claims.find(cells, method, small.PEAK)) is not None])
  lines += ['## Learning rate of the baseline', '', 'At seed 0.', '']
  lines += figures.table_lines(
      ['learning rate', 'validation accuracy', 'test accuracy', 'training loss'], _rates(cells))
  return '\n'.join(lines) + '\n'


def _row(cell: reduction.Cell) -> list[str]:
  finished = sum(run.status == 'finished' for run in cell.runs)
  return [recipes.title(cell.key['method']) if cell.key['method'] != recipes.BASELINE
          else 'baseline',
          *(cell.summaries[metric].text(metric) if metric in cell.summaries else 'no run'
            for metric in _METRICS), f'{finished}/{len(cell.runs)}', cell.state]


def _rates(cells: Sequence[reduction.Cell]) -> list[list[str]]:
  rows = []
  for cell in sorted((c for c in cells if c.key['method'] == recipes.BASELINE),
                     key=lambda cell: cell.key['peak']):
    first = next(run for run in cell.runs if run.cell['seed'] == 0)
    rows.append([f'{cell.key["peak"]:g}', *(
        quantities.of(metric).text(first.final[metric]) if metric in first.final else first.status
        for metric in (small_claims.VALIDATION, small_claims.ACCURACY, small_claims.LOSS))])
  return rows


def draw(cells: Sequence[reduction.Cell], path: pathlib.Path) -> None:
  """Draws the test accuracy of every method: its runs, their mean and deviation."""
  fig, ((axis,),) = panels.new(1, 1, (8, 5.5))
  for place, method in enumerate(reversed(recipes.METHODS)):
    cell = small_claims.find(cells, method, small.PEAK)
    summary = cell and cell.summaries.get(small_claims.ACCURACY)
    if summary is None:
      continue
    values = [100 * run.final[small_claims.ACCURACY] for run in cell.runs
              if small_claims.ACCURACY in run.final]
    axis.plot(values, [place] * len(values), 'o', color='#0072B2', alpha=0.4, markersize=4)
    axis.errorbar(100 * summary.mean, place, xerr=100 * summary.deviation, color='#0072B2',
                  marker='s', capsize=3)
    if method == recipes.BASELINE:
      axis.axvline(100 * summary.mean, color='#D55E00', linestyle='--', linewidth=1)
  axis.set_yticks(range(len(recipes.METHODS)), [
      'baseline' if method == recipes.BASELINE else recipes.title(method)
      for method in reversed(recipes.METHODS)])
  axis.set_xlabel('test accuracy (%)')
  axis.grid(alpha=0.3)
  fig.set_dpi(130)
  panels.save(fig, path)


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main)
