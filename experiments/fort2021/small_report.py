"""Writes fashion_mnist_small.md, .csv and .png from the runs of small.py and figure9.py.

    python -m experiments.fort2021.small_report --workdir=runs/small \\
        --variance=runs/figure9_small --out=docs/results

Every cell is shown with the learning rate that is best at seed 0 on the validation images. Runs
that are missing or not finished are named and never averaged.
"""

from collections.abc import Sequence
import csv
import dataclasses
import json
import pathlib

from absl import flags
import numpy as np

from experiments.fort2021 import small_picture
from nfnets_am import cli
from nfnets_am import experiment_file
from nfnets_am import figures
from nfnets_am import reduction
from nfnets_am.analysis import minibatch_variance

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of the sweep of small.py.')
_VARIANCE = flags.DEFINE_string('variance', None, 'Of the measurement of figure9.py.')
_OUT = flags.DEFINE_string('out', 'docs/results', 'Folder for the page, the data and the picture.')
_SCALE = flags.DEFINE_enum('scale', 'small', ['small', 'smoke'], 'Of small.py and figure9.py.')

_FOLDER = pathlib.Path(__file__).parent
_NAME = 'fashion_mnist_small'
_ACCURACY, _LOSS, _VALIDATION = 'test/top1', 'train/loss', 'validation/top1'
# A run that never learned: its accuracy on the training images is near that of one class.
_CHANCE = 0.15


@dataclasses.dataclass(frozen=True)
class Difference:
  """A metric of one kind of run less that of another, paired by seed.

  Attributes:
    values: one for each seed that both have.
  """

  values: tuple[float, ...]

  @property
  def mean(self) -> float:
    return float(np.mean(self.values))

  @property
  def error(self) -> float:
    """Standard error of the mean, from the deviation between seeds (ddof 1)."""
    return float(np.std(self.values, ddof=1) / len(self.values) ** 0.5)

  def verdict(self) -> str:
    """Whether it is over 0: 'holds', 'does not hold' or 'not resolved', by 2 standard errors."""
    if not self.values:
      return 'not run'
    if len(self.values) < 2:
      return 'not resolved: one seed'
    if abs(self.mean) <= 2 * self.error:
      return 'not resolved'
    return 'holds' if self.mean > 0 else 'does not hold'

  def __str__(self) -> str:
    if not self.values:
      return 'no runs'
    spread = f' ± {100 * self.error:.2f}' if len(self.values) > 1 else ''
    return f'{100 * self.mean:+.2f}{spread} points ({len(self.values)})'


def main() -> None:
  workdir, variance, out = map(pathlib.Path, (_WORKDIR.value, _VARIANCE.value, _OUT.value))
  path = _FOLDER / 'small.py'
  sweep = experiment_file.get_sweep(path, _SCALE.value)
  cells = reduction.reduce(sweep, experiment_file.get_runs(path, sweep), workdir)
  measured = _measured_variance(variance)
  out.mkdir(parents=True, exist_ok=True)
  chosen = choose(cells)
  (out / f'{_NAME}.md').write_text(page(cells, chosen, measured, workdir))
  with open(out / f'{_NAME}.csv', 'w', newline='') as f:
    csv.writer(f).writerows(figures.csv_rows(
        dataclasses.replace(sweep, others=(_VALIDATION, _LOSS)), cells))
  small_picture.draw(cells, chosen, measured, out / f'{_NAME}.png')
  print(f'page    {out / _NAME}.md\ndata    {out / _NAME}.csv\npicture {out / _NAME}.png')


def choose(cells: Sequence[reduction.Cell]) -> list[reduction.Cell]:
  """Returns, of the cells that differ only in the peak, the best at seed 0 on validation images."""
  def score(cell):
    return next((run.final.get(_VALIDATION, -1.0) for run in cell.runs if run.cell['seed'] == 0),
                -1.0)
  return [max(group, key=score) for group in reduction.groups_of(cells, 'peak')]


def find(cells: Sequence[reduction.Cell], scheme: str, unique: int, n: int, epochs: int
         ) -> reduction.Cell | None:
  """Returns the cell of a kind at a budget, if there is one."""
  wanted = {'scheme': scheme, 'unique': unique, 'multiplicity': n, 'epochs': epochs}
  return next((c for c in cells if wanted.items() <= c.key.items()), None)


def difference(more: reduction.Cell | None, less: reduction.Cell | None, metric: str = _ACCURACY
               ) -> Difference:
  """Returns `more` less `less` over the seeds that finished in both."""
  def by_seed(cell):
    return {run.cell['seed']: run.final[metric] for run in (cell.runs if cell else ())
            if metric in run.final}
  a, b = by_seed(more), by_seed(less)
  return Difference(tuple(a[seed] - b[seed] for seed in sorted(a.keys() & b.keys())))


def claims(chosen: Sequence[reduction.Cell], measured: Sequence[Sequence]) -> list[list[str]]:
  """Returns rows: claim, its figure, what is compared here, the difference, whether it holds."""
  def row(claim, figure, compared, more, less, metric=_ACCURACY, sign=1):
    found = difference(find(chosen, *more), find(chosen, *less), metric)
    if metric == _LOSS:
      text = 'no runs' if not found.values else (
          f'{found.mean:+.4f} nats ({len(found.values)})')
    else:
      text = str(found)
    judged = Difference(tuple(sign * x for x in found.values)).verdict()
    return [claim, figure, compared, text, judged]

  one, two, four = ('within', 64, 1), ('within', 32, 2), ('within', 16, 4)
  growing, neighbouring = ('within', 16, 1), ('neighbouring', 64, 4)
  rows = []
  for epochs in (32, 128, 512):
    rows.append(row('Growing batch: at the same epochs, more views are better', '2a',
                    f'U = 16: n = 4 less n = 1, {epochs} epochs', (*four, epochs),
                    (*growing, epochs)))
  for epochs in (32, 128, 512):
    rows.append(row('Growing batch: at the same epochs, more views fit the training set faster',
                    '2b', f'U = 16: training loss, n = 4 less n = 1, {epochs} epochs',
                    (*four, epochs), (*growing, epochs), _LOSS, sign=-1))
  for epochs in (128, 512):
    rows.append(row('Fixed batch: at the same epochs, more views are better', '4a, 5a',
                    f'B = 64: n = 4 less n = 1, {epochs} epochs', (*four, epochs),
                    (*one, epochs)))
  for updates, e1, e2, e4 in ((1000, 128, 64, 32), (4000, 512, 256, 128), (16000, 2048, 0, 512)):
    for n, kind, epochs in ((2, two, e2), (4, four, e4)):
      if epochs:
        rows.append(row('Fixed batch: at the same compute, more views are better once it is large',
                        '4b, 5b', f'B = 64: n = {n} less n = 1, {updates:,} updates',
                        (*kind, epochs), (*one, e1)))
  for updates, e1, e4 in ((1000, 128, 32), (4000, 512, 128), (16000, 2048, 512)):
    rows.append(row('Fixed batch: at the same updates, fewer views fit the training set faster',
                    '6b', f'B = 64: training loss, n = 4 less n = 1, {updates:,} updates',
                    (*four, e4), (*one, e1), _LOSS))
  for updates, e1, e4 in ((1000, 128, 32), (4000, 512, 128)):
    rows.append(row('Neighbouring views help too, for moderate n', '11a',
                    f'B = 64: neighbouring n = 4 less n = 1, {updates:,} updates',
                    (*neighbouring, e4), (*one, e1)))
    rows.append(row('Neighbouring views fit the training set a little faster than within', '11b',
                    f'B = 64: training loss, neighbouring less within, n = 4, {updates:,} updates',
                    (*neighbouring, e4), (*four, e4), _LOSS, sign=-1))
  return rows + _variance_claims(measured)


def _variance_claims(measured: Sequence[Sequence]) -> list[list[str]]:
  """Claims of Figure 9, at the largest n that was measured in each scheme."""
  rows = []
  for scheme, expected, least, most in (
      ('fixed', 'rises with n', 2, np.inf), ('growing', 'does not depend strongly on n', 0.5, 2)):
    values = [row for row in measured[1:] if row[0] == scheme and isinstance(row[5], float)]
    claim = f'Gradient variance at initialisation, {scheme} batch: {expected}'
    if not values:
      rows.append([claim, '9', '', 'no runs', 'not run'])
      continue
    row = max(values, key=lambda row: row[1])
    rows.append([claim, '9', f'n = {row[1]} against n = 1',
                 f'{row[7]:.2f} x ± {row[8]:.2f} ({row[9]})',
                 'holds' if least < row[7] < most else 'does not hold'])
  return rows


def page(cells: Sequence[reduction.Cell], chosen: Sequence[reduction.Cell],
         measured: Sequence[Sequence], workdir: pathlib.Path) -> str:
  """Returns the Markdown page."""
  flags_text = f' --scale={_SCALE.value}' if _SCALE.value != 'small' else ''
  lines = [
      '# Augmentation multiplicity in miniature: Fashion-MNIST, 500 images, one CPU core', '',
      *(_FOLDER / 'small_notes.md').read_text().splitlines(), '',
      '## How the numbers were made', '', '```',
      f'python -m launch.sweep --experiment=experiments/fort2021/small.py --workdir={workdir}'
      f'{flags_text}',
      'python -m nfnets_am.analysis.gradient_variance --experiment=experiments/fort2021/figure9.py '
      f'--workdir={_VARIANCE.value} --scale={_SCALE.value}',
      f'python -m experiments.fort2021.small_report --workdir={workdir} '
      f'--variance={_VARIANCE.value} --out={_OUT.value}{flags_text}', '```', '',
      f'Commits that trained the runs: {", ".join(_commits(cells, workdir)) or "none yet"}. '
      f'Every run is a line of [{_NAME}.csv]({_NAME}.csv).', '',
      f'![accuracy, training loss and gradient variance]({_NAME}.png)', '',
      '## Claims of the paper', '',
      'Differences are paired by seed, with the standard error of their mean and the number of '
      'seeds. "Holds" is more than 2 standard errors on the side that the paper says; with 2 or 3 '
      'seeds that is a rough rule.', '']
  lines += _table(['claim', 'figure', 'compared here', 'difference', 'here'],
                  claims(chosen, measured))
  lines += ['', '## Cells', '',
            'Mean ± standard deviation (ddof 0) of the finished runs, at the learning rate that is '
            'best at seed 0 on the validation images.', '']
  lines += _table(
      ['scheme', 'U', 'n', 'views/update', 'epochs', 'updates', 'learning rate', 'test accuracy',
       'training loss', 'runs', 'state'], [_cell_row(cell) for cell in chosen])
  lines += ['', '## Learning rates', '',
            'Seed 0. A run that never learned stays at the accuracy of one class, 10%.', '']
  lines += _table(['scheme', 'U', 'n', 'epochs', 'learning rate', 'validation', 'test'],
                  _peak_rows(cells))
  if measured:
    lines += ['', '## Variance between minibatch gradients at initialisation', '']
    lines += _table([str(x) for x in measured[0]],
                    [[f'{x:.3g}' if isinstance(x, float) else str(x) for x in row]
                     for row in measured[1:]])
  return '\n'.join(lines) + '\n'


def _cell_row(cell: reduction.Cell) -> list[str]:
  derived = next((run.derived for run in cell.runs if run.derived), {})
  values = []
  for metric in (_ACCURACY, _LOSS):
    summary = cell.summaries.get(metric)
    values.append('no run' if summary is None else
                  f'{figures.format_value(metric, summary.mean)} ± '
                  f'{figures.format_value(metric, summary.deviation)}')
  dead = sum(run.final.get('train/top1', 1.0) < _CHANCE for run in cell.runs)
  finished = sum(run.status == 'finished' for run in cell.runs)
  return [*(str(cell.key[key]) for key in ('scheme', 'unique', 'multiplicity')),
          str(derived.get('views', '?')), str(cell.key['epochs']),
          f'{derived["updates"]:,}' if derived else '?', str(cell.key['peak']), *values,
          f'{finished}/{len(cell.runs)}',
          cell.state + (f', {dead} never learned' if dead else '')]


def _peak_rows(cells: Sequence[reduction.Cell]) -> list[list[str]]:
  rows = []
  for group in reduction.groups_of(cells, 'peak'):
    if len(group) < 2:
      continue
    for cell in sorted(group, key=lambda cell: cell.key['peak']):
      run = next(run for run in cell.runs if run.cell['seed'] == 0)
      rows.append([*(str(cell.key[key]) for key in
                     ('scheme', 'unique', 'multiplicity', 'epochs', 'peak')),
                   *(figures.format_value(metric, run.final[metric]) if metric in run.final
                     else run.status for metric in (_VALIDATION, _ACCURACY))])
  return rows


def _table(header: list[str], rows: list[list[str]]) -> list[str]:
  return ['| ' + ' | '.join(header) + ' |', '|' + '---|' * len(header),
          *('| ' + ' | '.join(row) + ' |' for row in rows)]


def _measured_variance(workdir: pathlib.Path) -> list[list]:
  path = _FOLDER / 'figure9.py'
  sweep = experiment_file.get_sweep(path, _SCALE.value)
  return minibatch_variance.rows_of(
      reduction.reduce(sweep, experiment_file.get_runs(path, sweep), workdir))


def _commits(cells: Sequence[reduction.Cell], workdir: pathlib.Path) -> list[str]:
  """Returns the commits of the starts of all finished runs, in order of their first appearance."""
  found: dict[str, None] = {}
  for path in sorted(workdir.glob('*/run.json'), key=lambda path: path.stat().st_mtime):
    for start in json.loads(path.read_text())['starts']:
      found[f'`{start["commit"][:10]}`'] = None
  return list(found)


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir', 'variance'])
  cli.run(main)
