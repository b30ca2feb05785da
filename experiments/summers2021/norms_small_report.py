"""Writes summers2021_norms_small.md, .csv and .png from the runs of norms_small.py.

    python -m experiments.summers2021.norms_small_report \\
        --workdir=runs/summers2021_norms_small --out=docs/results

Runs that are missing or not finished are named and never averaged.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import pathlib
from typing import Any

from absl import flags

from experiments import miniature
from experiments.summers2021 import figureA_1
from experiments.summers2021 import norms_small_claims
from experiments.summers2021 import weighing
from nfnets_am.core import cli
from nfnets_am.reporting import evidence
from nfnets_am.reporting import figures
from nfnets_am.reporting import forgotten
from nfnets_am.reporting import panels
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_FOLDER = pathlib.Path(__file__).parent
_NAME = 'summers2021_norms_small'
_SHOWN = ('test/top1', 'train/top1', 'test/loss')
_TOP1 = norms_small_claims.TOP1


def run() -> None:
  """Writes the three files."""
  workdir_flag = flags.DEFINE_string('workdir', None, 'Of the sweep of norms_small.py.',
                                     required=True)
  out_flag = flags.DEFINE_string('out', 'docs/results', 'Folder of page, data and picture.')
  scale_flag = flags.DEFINE_enum('scale', 'small', ['small', 'smoke'], 'Of norms_small.py.')

  def main() -> None:
    workdir, out = pathlib.Path(forgotten.folder(workdir_flag.value)), pathlib.Path(out_flag.value)
    path, scale = _FOLDER / 'norms_small.py', scale_flag.value
    sweep = experiment_file.get_sweep(path, scale)
    results = reduction.reduce(
        sweep, experiment_file.get_runs(path, sweep), outcomes.Reader(workdir))
    bound = figureA_1.measure(figureA_1.SIZES[1:])
    out.mkdir(parents=True, exist_ok=True)
    (out / f'{_NAME}.md').write_text(page(results, bound, workdir, out, scale))
    figures.write_csv(figures.csv_rows(results), out / f'{_NAME}.csv')
    draw(results, bound, out / f'{_NAME}.png')
    print(f'page    {out / _NAME}.md\ndata    {out / _NAME}.csv\npicture {out / _NAME}.png')

  cli.run(main)


def page(results: reduction.Results, bound: Sequence[Mapping[str, float]], workdir: pathlib.Path,
         out: pathlib.Path, scale: str) -> str:
  """Returns the Markdown page.

  Args:
    results: of the sweep.
    bound: of figureA_1.measure.
    workdir: of the runs.
    out: folder of the page.
    scale: of the sweep.
  """
  header, rows = figures.claim_table(results)
  place = list(header).index('verdict')
  verdicts = [row[place] for row in rows]
  counts = ', '.join(f'{verdicts.count(one)} {one}' for one in dict.fromkeys(verdicts))
  lines = [
      '# Four things about batch normalisation in miniature: Fashion-MNIST, 500 images, two cores',
      '', *(_FOLDER / 'norms_small_notes.md').read_text().splitlines(), '',
      *miniature.how_made(
          results, workdir, experiment='experiments/summers2021/norms_small.py',
          report='experiments.summers2021.norms_small_report', flags=f'--out={out}', scale=scale,
          name=_NAME, picture='ghost sizes, alpha, batch sizes and the bound'),
      '## Claims of chapter 4', '', f'{evidence.RULE} In all: {counts}.', '',
      *figures.table_lines(header, rows),
      '## The bound of training (equation 4.2)', '',
      'Of N values of a channel none is below -sqrt(N - 1) in training: one value apart from N - 1 '
      'equal ones attains it, normal ones stay above. At inference the same normal values three '
      'times as far out pass it where N is small.', '',
      *figures.table_lines(
          ['N', 'bound', 'one outlier', 'normal, training', 'normal, inference'],
          [[str(row['values']), *(f'{row[key]:.3f}' for key in (
              'bound', 'worst', 'normal', 'inference'))] for row in bound]),
      '## Cells', '',
      "Mean ± standard deviation (ddof 0) of the finished runs. `size` is B' of ghost batches and "
      'the images of a group of batch_group; `weighed` is the test accuracy at the alpha that is '
      'best on the validation images.', '',
      *figures.table_lines(
          [*_keys(results), *_SHOWN, 'weighed', 'alpha', 'runs', 'state'],
          [_row(results, cell) for cell in results.cells])]
  return '\n'.join(lines)


def _keys(results: reduction.Results) -> list[str]:
  return [key for key in results.cells[0].key if key != 'scale']


def _row(results: reduction.Results, cell: reduction.Cell) -> list[str]:
  shown = [cell.summaries[metric].text(metric) if metric in cell.summaries else 'no run'
           for metric in _SHOWN]
  best = ['', '']
  if _TOP1.at(0.0) in cell.summaries:
    _, on, alpha = _TOP1.tuned(results, cell.key)
    best = [_TOP1.text(on.value), f'{alpha:g}']
  finished = sum(run.status == 'finished' for run in cell.runs)
  return [*(str(cell.key[key]) for key in _keys(results)), *shown, *best,
          f'{finished}/{len(cell.runs)}', cell.state]


def draw(results: reduction.Results, bound: Sequence[Mapping[str, float]], path: pathlib.Path
         ) -> None:
  """Draws test accuracy over batch sizes and over alpha, cross-entropy over alpha, the bound."""
  fig, ((sizes, alphas), (losses, least)) = panels.new(2, 2, (9, 7), sharey=False)
  _lines(sizes, results)
  for axis, curve in ((alphas, _TOP1), (losses, norms_small_claims.LOSS)):
    _curves(axis, results, curve)
  x = [row['values'] for row in bound]
  for key, label, style in (('bound', r'$-\sqrt{N - 1}$', 'k--'), ('worst', 'one outlier', 'o'),
                            ('normal', 'normal values, training', 's-'),
                            ('inference', 'three times as far, inference', '^-')):
    least.plot(x, [row[key] for row in bound], style, label=label, markersize=4)
  least.set(xlabel='N', ylabel='least output')
  for axis in (sizes, least):
    axis.set_xscale('log', base=2)
  for axis in (sizes, alphas, losses, least):
    axis.grid(alpha=0.3)
    if axis.has_data():
      axis.legend(fontsize=7)
  fig.set_dpi(130)
  panels.save(fig, path)


def _lines(axis: Any, results: reduction.Results) -> None:
  for label, line in norms_small_claims.LINES.items():
    cells = {x: results.best(cell, 'test/top1') for x, cell in line.items()}
    found = {x: cell.summaries['test/top1'] for x, cell in cells.items() if cell is not None}
    axis.errorbar(list(found), [100 * one.mean for one in found.values()],
                  [100 * one.deviation for one in found.values()], marker='o', markersize=4,
                  capsize=2, label=label)
  axis.set(xlabel="B, or B' of ghost batches alone", ylabel='test accuracy (%)')


def _curves(axis: Any, results: reduction.Results, curve: weighing.Curve) -> None:
  shown = {'batch': norms_small_claims.BATCH, 'group': norms_small_claims.cell('group'),
           **{f"ghost, B' = {size}": norms_small_claims.cell('ghost', size=size)
              for size in norms_small_claims.GHOSTS}}
  for label, key in shown.items():
    cell = results.best(key, curve.at(curve.off))
    if cell is not None:
      values = curve.summaries(cell)
      axis.plot(curve.alphas, [float(curve.text(one.value).rstrip('%')) for one in values], 'o-',
                markersize=3, label=label)
  axis.set(xlabel='alpha', ylabel='test accuracy (%)' if curve.key == 'top1' else
           'test cross-entropy')


if __name__ == '__main__':
  run()
