"""Writes fashion_mnist_small.md, .csv and .png from the runs of small.py and figure9.py.

    python -m experiments.fort2021.small_report --workdir=runs/small \\
        --variance=runs/figure9_small --out=docs/results
    python -m experiments.fort2021.small_report --data=docs/results/fashion_mnist_small.csv \\
        --variance=runs/figure9_small --out=docs/results

The second makes the page anew from the lines of an earlier report, without the runs' folders.

Every cell is shown with the learning rate that is best on the validation images. Runs that are
missing or not finished are named and never averaged.
"""

from collections.abc import Sequence
import csv
import pathlib

from absl import flags

from experiments import miniature
from experiments.fort2021 import small_claims
from experiments.fort2021 import small_picture
from nfnets_am.analysis import gradient_variance
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.reporting import figures
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of the sweep of small.py.')
_DATA = flags.DEFINE_string('data', None, 'In place of --workdir: the .csv of an earlier report.')
_VARIANCE = flags.DEFINE_string('variance', None, 'Of the measurement of figure9.py.')
_OUT = flags.DEFINE_string('out', 'docs/results', 'Folder for the page, the data and the picture.')
_SCALE = flags.DEFINE_enum('scale', 'small', ['small', 'smoke'], 'Of small.py and figure9.py.')

_FOLDER = pathlib.Path(__file__).parent
_NAME = 'fashion_mnist_small'
_ACCURACY, _LOSS = small_claims.ACCURACY, small_claims.LOSS
# A run that never learned: its accuracy is near that of one class.
_CHANCE = 0.15
# Of the bundled set, as the runs' own lines say.
_TEST_IMAGES = {'test/images': 2000}


def main() -> None:
  if bool(_WORKDIR.value) == bool(_DATA.value):
    raise errors.UserError('say either --workdir=FOLDER or --data=FILE')
  variance, out = map(pathlib.Path, (_VARIANCE.value, _OUT.value))
  path = _FOLDER / 'small.py'
  sweep = experiment_file.get_sweep(path, _SCALE.value)
  results = reduction.reduce(sweep, experiment_file.get_runs(path, sweep), (
      miniature.Recorded(_DATA.value, _TEST_IMAGES) if _DATA.value else
      outcomes.Reader(_WORKDIR.value)))
  cells = results.cells
  measured = _measured_variance(variance)
  out.mkdir(parents=True, exist_ok=True)
  chosen = small_claims.choose(cells)
  (out / f'{_NAME}.md').write_text(page(cells, chosen, measured))
  with open(out / f'{_NAME}.csv', 'w', newline='') as f:
    csv.writer(f).writerows(figures.csv_rows(results, (small_claims.VALIDATION, _LOSS)))
  small_picture.draw(cells, chosen, measured, out / f'{_NAME}.png')
  print(f'page    {out / _NAME}.md\ndata    {out / _NAME}.csv\npicture {out / _NAME}.png')


def page(cells: Sequence[reduction.Cell], chosen: Sequence[reduction.Cell],
         measured: Sequence[Sequence]) -> str:
  """Returns the Markdown page."""
  workdir = _WORKDIR.value or 'runs/small'
  source = f'--workdir={workdir}' if _WORKDIR.value else f'--data={_DATA.value}'
  trained = ', '.join(miniature.commits(pathlib.Path(workdir))) if _WORKDIR.value else ''
  flags_text = f' --scale={_SCALE.value}' if _SCALE.value != 'small' else ''
  lines = [
      '# Augmentation multiplicity in miniature: Fashion-MNIST, 500 images, one CPU core', '',
      *(_FOLDER / 'small_notes.md').read_text().splitlines(), '',
      '## How the numbers were made', '', '```',
      f'python -m launch.sweep --experiment=experiments/fort2021/small.py --workdir={workdir}'
      f'{flags_text}',
      'python -m launch.sweep --experiment=experiments/fort2021/figure9.py '
      f'--workdir={_VARIANCE.value} --scale={_SCALE.value}',
      f'python -m experiments.fort2021.small_report {source} '
      f'--variance={_VARIANCE.value} --out={_OUT.value}{flags_text}', '```', '',
      (f'Commits that trained the runs: {trained or "none yet"}. ' if _WORKDIR.value else '')
      + f'Every run is a line of [{_NAME}.csv]({_NAME}.csv).', '',
      f'![accuracy, training loss and gradient variance]({_NAME}.png)', '',
      '## Claims of the paper', '',
      miniature.RULE, '']
  lines += figures.table_lines(['claim', 'figure', 'compared here', *miniature.HEADER],
                               small_claims.claims(chosen, measured))
  lines += ['## Cells', '',
            'Mean ± standard deviation (ddof 0) of the finished runs. The learning rate is, of '
            'those with the most runs, the best by the mean on the validation images.', '']
  lines += figures.table_lines(
      ['scheme', 'U', 'n', 'views/update', 'epochs', 'updates', 'learning rate', 'test accuracy',
       'training loss', 'runs', 'state'], [_cell_row(cell) for cell in chosen])
  lines += ['## Learning rates', '',
            'Mean of the finished runs. One that never learned stays at the accuracy of one class, '
            '10%.', '']
  lines += figures.table_lines(
      ['scheme', 'U', 'n', 'epochs', 'learning rate', 'validation', 'test', 'runs',
       'never learned'], _peak_rows(cells))
  if measured:
    lines += ['## Variance between minibatch gradients at initialisation', '']
    lines += figures.table_lines([str(x) for x in measured[0]], [
        [f'{x:.3g}' if isinstance(x, float) else str(x) for x in row] for row in measured[1:]])
  return '\n'.join(lines) + '\n'


def _cell_row(cell: reduction.Cell) -> list[str]:
  derived = cell.derived
  values = [cell.summaries[metric].text(metric) if metric in cell.summaries else 'no run'
            for metric in (_ACCURACY, _LOSS)]
  dead = _dead(cell)
  return [*(str(cell.key[key]) for key in ('scheme', 'unique', 'multiplicity')),
          str(derived.get('views', '?')), str(cell.key['epochs']),
          f'{derived["updates"]:,}' if derived else '?', str(cell.key['peak']), *values,
          f'{_finished(cell)}/{len(cell.runs)}',
          cell.state + (f', {dead} never learned' if dead else '')]


def _peak_rows(cells: Sequence[reduction.Cell]) -> list[list[str]]:
  rows = []
  for group in reduction.groups_of(cells, 'peak'):
    if len(group) < 2:
      continue
    for cell in sorted(group, key=lambda cell: cell.key['peak']):
      means = []
      for metric in (small_claims.VALIDATION, _ACCURACY):
        values = [run.final[metric] for run in cell.runs if metric in run.final]
        means.append(quantities.of(metric).text(sum(values) / len(values)) if values
                     else cell.state)
      rows.append([*(str(cell.key[key]) for key in
                     ('scheme', 'unique', 'multiplicity', 'epochs', 'peak')), *means,
                   str(_finished(cell)), str(_dead(cell))])
  return rows


def _finished(cell: reduction.Cell) -> int:
  return sum(run.status == 'finished' for run in cell.runs)


def _dead(cell: reduction.Cell) -> int:
  return sum(run.final.get(_ACCURACY, 1.0) < _CHANCE for run in cell.runs)


def _measured_variance(workdir: pathlib.Path) -> list[list]:
  path = _FOLDER / 'figure9.py'
  sweep = experiment_file.get_sweep(path, _SCALE.value)
  return gradient_variance.rows_of(
      reduction.reduce(sweep, experiment_file.get_runs(path, sweep),
                       outcomes.Reader(workdir)).cells)


if __name__ == '__main__':
  flags.mark_flags_as_required(['variance'])
  cli.run(main)
