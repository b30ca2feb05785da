"""Writes summers2021_robust_small.md, .csv and .png from the runs of robust_small.py.

    python -m experiments.summers2021.robust_small_report \\
        --workdir=runs/summers2021_robust_small --out=docs/results

Runs that are missing or not finished are named and never averaged.
"""

import csv
import pathlib

from absl import flags
import numpy as np

from experiments import miniature
from experiments.summers2021 import robust_small_claims
from experiments.summers2021 import robust_small_logits
from nfnets_am.core import cli
from nfnets_am.reporting import comparison
from nfnets_am.reporting import evidence
from nfnets_am.reporting import figures
from nfnets_am.reporting import pages
from nfnets_am.reporting import panels
from nfnets_am.sweeps import reduction

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of the sweep of robust_small.py.')
_OUT = flags.DEFINE_string('out', 'docs/results', 'Folder for the page, the data and the picture.')
_SCALE = flags.DEFINE_enum('scale', 'small', ['small', 'smoke'], 'Of robust_small.py.')

_FOLDER = pathlib.Path(__file__).parent
_NAME = 'summers2021_robust_small'
_METHODS = robust_small_claims.METHODS
_ATTACKS = {'clean': 'test/top1', 'FGSM': 'fgsm/top1', 'PGD (5 steps)': 'pgd5/top1',
            'PGD (10 steps)': 'pgd10/top1', 'PGD (20 steps)': 'pgd20/top1'}
_COLOURS = {'regular': '#000000', 'label_smoothing': '#0072B2', 'pgd': '#D55E00', 'alp': '#009E73',
            'lrm': '#CC79A7'}


def main() -> None:
  out = pathlib.Path(_OUT.value)
  results = pages.read(_FOLDER / 'robust_small.py', _WORKDIR.value, _SCALE.value)
  out.mkdir(parents=True, exist_ok=True)
  (out / f'{_NAME}.md').write_text(page(results))
  with open(out / f'{_NAME}.csv', 'w', newline='') as f:
    csv.writer(f).writerows(figures.csv_rows(results))
  draw(results, out / f'{_NAME}.png')
  print(f'page    {out / _NAME}.md\ndata    {out / _NAME}.csv\npicture {out / _NAME}.png')


def page(results: reduction.Results) -> str:
  """Returns the Markdown page."""
  header, claims = figures.claim_table(results)
  if _SCALE.value == 'small':
    claims = [*claims, *robust_small_logits.claim_rows(results)]
  verdict = header.index('verdict')
  verdicts = [row[verdict] for row in claims]
  counted = ', '.join(f'{verdicts.count(one)} {one}' for one in dict.fromkeys(verdicts))
  lines = [
      '# Robust networks in miniature: Fashion-MNIST, 4,962 weights, two CPU cores', '',
      *(_FOLDER / 'robust_small_notes.md').read_text().splitlines(), '',
      *miniature.how_made(
          results, pathlib.Path(_WORKDIR.value),
          experiment='experiments/summers2021/robust_small.py',
          report='experiments.summers2021.robust_small_report', flags=f'--out={_OUT.value}',
          scale=_SCALE.value, name=_NAME, picture='accuracy under attacks, and logits'),
      '## Under attack (table 3.1)', '', 'Mean ± standard deviation (ddof 0) over the seeds.', '']
  lines += figures.table_lines(['method', *_ATTACKS], [
      [method, *(_entry(results, method, 0, metric) for metric in _ATTACKS.values())]
      for method in _METHODS])
  lines += ['## Black box (table 3.2)', '', 'PGD of 10 steps on the source; accuracy of the '
            'target. The two have different seeds, on the diagonal too.', '']
  lines += figures.table_lines(
      ['target', *(f'source: {source}' for source in _METHODS)],
      [[target, *(_entry(results, source, 1, f'black_box_{target}/top1') for source in _METHODS)]
       for target in _METHODS])
  lines += ['## Is the robustness real? (table 3.6)', '',
            'Attacks that cost more, on the same networks and images as 20 steps of PGD. "Weaker" '
            'is one that networks withstand better, by more than twice the error over images. '
            'Where one finds far more than PGD-20, gradients are masked.', '']
  lines += figures.table_lines(
      ['method', 'attack', 'images x networks', 'PGD-20', 'it', 'difference', 'error', 'it is'],
      robust_small_logits.strong_rows(results))
  lines += ['## Logits (figures 3.1 and 3.2)', '', 'Of all classes and test images; the range is '
            'without the least and greatest thousandth.', '']
  lines += figures.table_lines(
      ['method', 'variance', 'range', 'variance, PGD-20', 'range, PGD-20'],
      robust_small_logits.logit_rows(results))
  lines += ['## Methods of the text', '']
  others = dict.fromkeys(cell.key['method'] for cell in results.cells
                         if cell.key['method'] not in _METHODS)
  lines += figures.table_lines(
      ['method', 'clean', 'FGSM', 'PGD (10 steps)'],
      [[method, *(_entry(results, method, 0, metric)
                  for metric in ('test/top1', 'fgsm/top1', 'pgd10/top1'))] for method in others])
  lines += [f'## Claims: {counted}', '', evidence.RULE, '']
  lines += figures.table_lines(comparison.CLAIM_HEADER, claims)
  return '\n'.join(lines) + '\n'


def _entry(results: reduction.Results, method: str, black_box: int, metric: str) -> str:
  cells = results.matching(robust_small_claims.of(method, black_box))
  if not cells or metric not in cells[0].summaries:
    return '-' if cells and cells[0].summaries else 'no run'
  return cells[0].summaries[metric].text(metric)


def draw(results: reduction.Results, path: pathlib.Path) -> None:
  """Draws accuracy over the attacks, and histograms of logits on clean and PGD-20's images."""
  fig, axes = panels.new(1, 3, (10.5, 3.2))
  accuracy, *histograms = axes.flat
  for method in _METHODS:
    cell = robust_small_logits.cell_of(results, method)
    shown = [(place, cell.summaries[metric]) for place, metric in enumerate(_ATTACKS.values())
             if cell and metric in cell.summaries]
    accuracy.errorbar([place for place, _ in shown], [100 * one.mean for _, one in shown],
                      [100 * one.deviation for _, one in shown], color=_COLOURS[method],
                      label=method, marker='o', markersize=3, capsize=2)
    for axis, name in zip(histograms, ('test', 'pgd20'), strict=True):
      logits = [one['logits'].ravel() for one in robust_small_logits.kept(cell, name)]
      if logits:
        axis.hist(np.concatenate(logits), bins=120, range=(-10, 10), density=True, histtype='step',
                  color=_COLOURS[method])
  accuracy.set_xticks(range(len(_ATTACKS)), _ATTACKS, rotation=25, fontsize=7)
  accuracy.set_ylabel('accuracy (%)', fontsize=8)
  accuracy.legend(fontsize=7)
  for axis, title in zip(histograms, ('logits of clean images', "logits of PGD-20's images"),
                         strict=True):
    axis.set_yscale('log')
    axis.set_title(title, fontsize=8)
  for axis in axes.flat:
    axis.grid(alpha=0.3)
    axis.tick_params(labelsize=7)
  panels.save(fig, path)


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main)
