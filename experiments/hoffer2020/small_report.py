"""Writes hoffer2020_small.md, .csv and .png from the runs of small.py.

    python -m experiments.hoffer2020.small_report --workdir=runs/hoffer2020_small \\
        --out=docs/results

Runs that are missing or not finished are named and never averaged.
"""

from collections.abc import Sequence
import pathlib

from absl import flags

from experiments import miniature
from experiments.hoffer2020 import checks
from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import small
from experiments.hoffer2020 import small_claims
from experiments.hoffer2020 import small_picture
from nfnets_am.core import cli
from nfnets_am.core import quantities
from nfnets_am.reporting import evidence
from nfnets_am.reporting import figures
from nfnets_am.reporting import forgotten
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of the sweep of small.py.')
_OUT = flags.DEFINE_string('out', 'docs/results', 'Folder for the page, the data and the picture.')
_SCALE = flags.DEFINE_enum('scale', 'small', ['small', 'smoke'], 'Of small.py.')

_FOLDER = pathlib.Path(__file__).parent
_NAME = 'hoffer2020_small'
_ACCURACY, _VALIDATION = 'test/top1', 'validation/top1'
_SHOWN = ('test accuracy', 'validation accuracy', 'gradient norm after the drop', 'runs', 'state')
_RULE = (
    "Of medians, over pairs of images, the test set's error is that of other pairs; of a curve "
    "over the log the seeds' error is that of its lines, which are not independent.")


def main() -> None:
  workdir, out = pathlib.Path(forgotten.folder(_WORKDIR.value)), pathlib.Path(_OUT.value)
  path = _FOLDER / 'small.py'
  sweep = experiment_file.get_sweep(path, _SCALE.value)
  results = reduction.reduce(
      sweep, experiment_file.get_runs(path, sweep), outcomes.Reader(workdir))
  out.mkdir(parents=True, exist_ok=True)
  (out / f'{_NAME}.md').write_text(page(results, workdir))
  figures.write_csv(figures.csv_rows(results), out / f'{_NAME}.csv')
  first = next(iter(small.NORMS))
  small_picture.draw(
      {norm: {column: _cell(results, norm, column) for column in recipes.COLUMNS}
       for norm in small.NORMS},
      {m: _of_m(results, m) for m in small.multiplicities(_SCALE.value)},
      _one(results, {'measured': 1, 'norm': first}), small.compared(_SCALE.value),
      out / f'{_NAME}.png')
  print(f'page    {out / _NAME}.md\ndata    {out / _NAME}.csv\npicture {out / _NAME}.png')


def page(results: reduction.Results, workdir: pathlib.Path) -> str:
  """Returns the Markdown page."""
  header, rows = figures.claim_table(results)
  verdicts = [row[-1] for row in rows]
  counts = ', '.join(f'{verdicts.count(one)} {one}' for one in dict.fromkeys(verdicts))
  lines = [
      '# Batch augmentation in miniature: Fashion-MNIST, 500 images, two CPU cores', '',
      *(_FOLDER / 'small_notes.md').read_text().splitlines(), '',
      *miniature.how_made(
          results, workdir, experiment='experiments/hoffer2020/small.py',
          report='experiments.hoffer2020.small_report', flags=f'--out={_OUT.value}',
          scale=_SCALE.value, name=_NAME, picture='columns, M, norms and correlations'),
      f'## Claims of the paper: {counts}', '', f'{evidence.RULE} {_RULE}', '']
  lines += figures.table_lines(header, rows)
  lines += ['## The columns of Table 2', '',
            'Mean ± standard deviation (ddof 0) of the finished runs, at the learning rate '
            f'{small.PEAK:g}. Samples are the views trained on; compute is them, against fixed '
            'steps.', '']
  lines += figures.table_lines(
      ['norm', 'column', 'images in an update', 'views of each', 'epochs', 'updates', 'samples',
       'compute', *_SHOWN],
      [_column_row(results, norm, column) for norm in small.NORMS for column in recipes.COLUMNS])
  lines += ['## Figures 1 and 2: M', '']
  lines += figures.table_lines(['M', 'updates', 'samples', *_SHOWN], [
      [str(m), *_sizes(cell)[-2:], *_measured(cell)]
      for m in small.multiplicities(_SCALE.value) if (cell := _of_m(results, m))])
  lines += ['## Table 1: correlation of the gradients of two images', '',
            'Medians over the pairs of a run of batch augmentation: mean ± standard deviation over '
            'the seeds.', '']
  lines += figures.table_lines(*_correlations(results))
  lines += ['## Learning rate of the baseline', '', 'At seed 0.', '']
  lines += figures.table_lines(['learning rate', 'validation accuracy', 'test accuracy'],
                               _rates(results))
  return '\n'.join(lines) + '\n'


def _one(results: reduction.Results, where: dict) -> reduction.Cell | None:
  return next(iter(results.matching(where)), None)


def _cell(results: reduction.Results, norm: str, column: str, multiplicity: int = 0
          ) -> reduction.Cell | None:
  """A trained cell at the chosen rate; multiplicity 0 is that of the columns."""
  many = 1 if column == 'fixed_steps' else multiplicity or small.multiplicities(_SCALE.value)[-1]
  return _one(results, {'norm': norm, 'column': column, 'multiplicity': many, 'measured': 0,
                        'peak': small.PEAK})


def _of_m(results: reduction.Results, multiplicity: int) -> reduction.Cell | None:
  column = 'fixed_steps' if multiplicity == 1 else 'ba'
  return _cell(results, next(iter(small.NORMS)), column, multiplicity)


def _column_row(results: reduction.Results, norm: str, column: str) -> list[str]:
  cell, base = (_cell(results, norm, one) for one in (column, 'fixed_steps'))
  compute = cell.total_views / base.total_views
  return [norm, recipes.COLUMNS[column], *_sizes(cell),
          '?' if compute != compute else f'{compute:.3g} x', *_measured(cell)]


def _sizes(cell: reduction.Cell) -> list[str]:
  """Images in an update, views of each, epochs, updates, samples."""
  derived = cell.derived
  if not derived:
    return ['?'] * 5
  return [str(derived['unique']), str(derived['copies']), f'{derived["epochs"]:.3g}',
          f'{derived["updates"]:,}', f'{cell.total_views:,}']


def _measured(cell: reduction.Cell) -> list[str]:
  finished = sum(run.status == 'finished' for run in cell.runs)
  return [_text(cell, _ACCURACY), _text(cell, _VALIDATION), _norm(cell),
          f'{finished}/{len(cell.runs)}', cell.state]


def _norm(cell: reduction.Cell) -> str:
  """The mean over the lines of the log from the drop of the rate on, and over the seeds."""
  updates, mean, _ = checks.curve(cell, small_claims.NORM)
  late = mean[updates > small.DROP * cell.number('updates')]
  return quantities.of(small_claims.NORM).text(late.mean()) if len(late) else 'no run'


def _text(cell: reduction.Cell, metric: str) -> str:
  return cell.summaries[metric].text(metric) if metric in cell.summaries else 'no run'


def _correlations(results: reduction.Results) -> tuple[Sequence[str], list[list[str]]]:
  epochs, cell = small.compared(_SCALE.value), _one(results, {'measured': 1})
  rows = [[name, *(_text(cell, small_claims.correlation(kind, epoch)) for epoch in epochs)]
          for kind, name in small_claims.KINDS.items()]
  return ['gradients of', *(f'after {epoch} epochs' for epoch in epochs)], rows


def _rates(results: reduction.Results) -> list[list[str]]:
  rows = []
  cells = results.matching({'column': 'fixed_steps', 'norm': next(iter(small.NORMS))})
  for cell in sorted(cells, key=lambda cell: cell.key['peak']):
    first = next(run for run in cell.runs if run.cell['seed'] == 0)
    rows.append([f'{cell.key["peak"]:g}', *(
        quantities.of(metric).text(first.final[metric]) if metric in first.final else first.status
        for metric in (_VALIDATION, _ACCURACY))])
  return rows


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main)
