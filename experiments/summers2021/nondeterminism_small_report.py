"""Writes the page, the data and the picture of the runs of nondeterminism_small.py.

    python -m experiments.summers2021.nondeterminism_small_report \\
        --workdir=runs/summers2021_nondeterminism_small --out=docs/results

Runs that are missing or not finished are counted and left out.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import csv
import math
import pathlib
from typing import Any

from absl import flags
from etils import epath

from experiments import miniature
from experiments.summers2021 import chapter5
from experiments.summers2021 import nondeterminism_small as small
from experiments.summers2021 import nondeterminism_small_measures as measures
from nfnets_am.analysis import kept
from nfnets_am.core import cli
from nfnets_am.core import quantities
from nfnets_am.reporting import figures
from nfnets_am.reporting import forgotten
from nfnets_am.reporting import panels
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_FOLDER = pathlib.Path(__file__).parent
_NAME = 'summers2021_nondeterminism_small'
_HEADER = ('accuracy', 'its deviation', 'deviation of the loss', 'disagreement', '1 - correlation',
           'what a mean of two adds')
# Name -> cycles, evaluation, models in an ensemble, whether a model is the mean of its snapshots;
# and the row of table 5.5.
_MITIGATIONS = {
    'ensembles of 2': (1, 'test', 2, False, (1, 'ensembles', 'ensemble2')),
    'ensembles of 3': (1, 'test', 3, False, (1, 'ensembles', 'ensemble3')),
    'ensembles of 4': (1, 'test', 4, False, (1, 'ensembles', 'ensemble4')),
    'ensembles of 5': (1, 'test', 5, False, (1, 'ensembles', 'ensemble5')),
    'snapshots of one run': (small.CYCLES, 'test', 1, True, (5, 'single', 'single')),
    'the mirror image': (1, 'flip', 1, False, (1, 'flip', 'single')),
    'all crops and their mirror images': (1, 'flip_crop', 1, False, (1, 'flip_crop', 'single')),
    'snapshots and the mirror image': (small.CYCLES, 'flip', 1, True, (5, 'flip', 'single')),
}


class Runs:
  """The finished runs of a workdir, by their kind."""

  def __init__(self, workdir: pathlib.Path, runs: Sequence[experiment_file.Run],
               finished: Mapping[str, bool]):
    self._runs = [(run.cell, epath.Path(workdir) / run.name) for run in runs if finished[run.name]]

  def folders(self, source: str, cycles: int = 1, onset: int = 0) -> list[epath.Path]:
    """Returns the folders of the runs of a kind."""
    return [folder for cell, folder in self._runs if cell['seed'] and (
        cell['source'], cell['cycles'], cell['onset']) == (source, cycles, onset)]

  def sample(self, source: str, cycles: int = 1, onset: int = 0, *, evaluation: str = 'test',
             size: int = 1, averaged: bool = False) -> measures.Sample | None:
    """Returns the measures of a kind, or None if there are less than three models."""
    folders = self.folders(source, cycles, onset)
    if len(folders) // size < 3:
      return None
    found = kept.logits_of(folders, evaluation, averaged=averaged)
    return measures.sample(found.logits, found.label, size)


def run() -> None:
  """Writes the three files, as a command."""
  workdir = flags.DEFINE_string(
      'workdir', None, 'Of the sweep of nondeterminism_small.py.', required=True)
  out = flags.DEFINE_string('out', 'docs/results', 'Folder for the page, the data and the picture.')
  scale = flags.DEFINE_enum(
      'scale', 'small', ['small', 'smoke'], 'Of nondeterminism_small.py.')
  cli.run(lambda: write(
      pathlib.Path(forgotten.folder(workdir.value)), pathlib.Path(out.value), scale.value))


def write(workdir: pathlib.Path, out: pathlib.Path, scale: str) -> None:
  """Writes page, data and picture into `out`, of the sweep at a scale in `workdir`."""
  path = _FOLDER / 'nondeterminism_small.py'
  sweep = experiment_file.get_sweep(path, scale)
  runs = experiment_file.get_runs(path, sweep)
  results = reduction.reduce(sweep, runs, outcomes.Reader(workdir))
  read = outcomes.Reader(workdir).read
  finished = {run.name: read(run).status == 'finished' for run in runs}
  found = Runs(workdir, runs, finished)
  sources = _there({source: found.sample(source) for source in small.SOURCES})
  onsets = _there({0: sources.get(small.LATE), **{
      onset: found.sample(small.LATE, onset=onset) for onset in small.ONSETS}})
  reducing = _there({name: found.sample('all', cycles, evaluation=evaluation, size=size,
                                        averaged=averaged)
                     for name, (cycles, evaluation, size, averaged, _) in _MITIGATIONS.items()})
  out.mkdir(parents=True, exist_ok=True)
  (out / f'{_NAME}.md').write_text('\n'.join([
      *_head(results, workdir, out, scale),
      *page(sources, onsets, reducing), *_rates(results.cells)]) + '\n')
  with open(out / f'{_NAME}.csv', 'w', newline='') as f:
    csv.writer(f).writerows(figures.csv_rows(results))
  draw(sources, onsets, out / f'{_NAME}.png')
  print('\n'.join(f'{what} {out / _NAME}.{ending}' for what, ending in (
      ('page   ', 'md'), ('data   ', 'csv'), ('picture', 'png'))))


def _there(found: Mapping[Any, Any]) -> dict[Any, Any]:
  return {key: value for key, value in found.items() if value is not None}


def _head(results: reduction.Results, workdir: pathlib.Path, out: pathlib.Path, scale: str
          ) -> list[str]:
  return [
      '# Nondeterminism in miniature: Fashion-MNIST, 256 images, two cores', '',
      *(_FOLDER / 'nondeterminism_small_notes.md').read_text().splitlines(), '',
      *miniature.how_made(
          results, workdir, experiment='experiments/summers2021/nondeterminism_small.py',
          report='experiments.summers2021.nondeterminism_small_report', flags=f'--out={out}',
          scale=scale, name=_NAME, picture='variability by source and by onset')]


def page(sources: Mapping[str, measures.Sample], onsets: Mapping[int, measures.Sample],
         reducing: Mapping[str, measures.Sample]) -> list[str]:
  """Returns the lines of the page that are of runs: claims and tables."""
  reduced = {}
  for name, one in reducing.items():
    if 'all' in sources:
      cycles, _, size, *_ = _MITIGATIONS[name]
      reduced[name] = measures.reduction(
          one, sources['all'], paired=cycles == size == 1
          and len(one.own) == len(sources['all'].own))
  rows = measures.claims(sources, onsets, reduced)
  verdicts = [row[-1] for row in rows]
  counts = ', '.join(f'{verdicts.count(one)} {one}' for one in dict.fromkeys(verdicts)) or 'none'
  lines = ['## Claims of chapter 5', '',
           'A claim counts on the side that is two errors away from its bound, else it is "not '
           'resolved". Errors are the jackknife\'s over runs, and are about those of runs on these '
           f'images. In all: {counts}.', '']
  lines += figures.table_lines(['claim', 'compared here', 'number', 'here'], rows)
  lines += ['## Sources', '', "In brackets the thesis' numbers, of a ResNet-14 on CIFAR-10.", '']
  lines += figures.table_lines(['seed that differs', 'runs', *_HEADER], [
      [name, str(len(one.own)), *_columns(one, _printed('table5_1', name, 1, 'single', 'single'))]
      for name, one in sources.items()])
  lines += ['## Onset', '', 'All runs are the same up to a pass; from then on the seed of the '
            'augmentation differs. The thesis draws this and prints no number.', '']
  lines += figures.table_lines(['differs from pass', 'runs', *_HEADER], [
      [f'{onset} of {small.PASSES}', str(len(one.own)), *_columns(one, {})]
      for onset, one in onsets.items()])
  lines += ['## Less variability', '', 'Of runs in which all seeds differ. The reduction is the '
            'mean over the five measures.', '']
  lines += figures.table_lines(['what', 'models', *_HEADER, 'reduction'], [
      [name, str(len(one.own)), *_columns(one, printed := _printed(
          'table5_5', 'all', *_MITIGATIONS[name][-1])), _reduction(reduced.get(name), printed)]
      for name, one in reducing.items()])
  return lines


def _printed(table: str, source: str, cycles: int, row: str, line: str) -> dict[str, float]:
  """Returns what the thesis prints in a row, by the metric's own name."""
  return {number.metric.partition('/')[2]: number.value for number in chapter5.numbers(table)
          if number.metric.startswith(f'{line}/') and number.cell.get('source') == source
          and number.cell.get('cycles', 1) == cycles and number.cell.get('row') == row}


def _columns(one: measures.Sample, printed: Mapping[str, float]) -> list[str]:
  # (as shown, factor, digits): shares in percent.
  shown = {'top1_sd': (100, 2), 'loss_sd': (1, 4), 'disagreement': (100, 1), 'correlation': (1, 3),
           'top1_delta': (100, 2)}
  texts = [f'{100 * one.own[:, 0].mean():.1f}%']
  for (name, (factor, digits)), found in zip(shown.items(), measures.five(one), strict=True):
    text = f'{factor * found.value:.{digits}f} ± {factor * found.error:.{digits}f}'
    if name in printed:
      value = 1 - printed[name] if name == 'correlation' else printed[name]
      text += f' ({value:.{digits}f})'
    texts.append(text)
  return texts


def _reduction(found: measures.Value | None, printed: Mapping[str, float]) -> str:
  text = f'{100 * found.value:.0f} ± {100 * found.error:.0f}%' if found else 'no runs'
  return text + (f' ({printed["reduction"]:.0f}%)' if 'reduction' in printed else '')


def _rates(cells: Sequence[reduction.Cell]) -> list[str]:
  rows = []
  for cell in cells:
    for run in cell.runs:
      if run.cell['seed'] == 0:
        rows.append([f'{run.cell["peak"]:g}', *(
            quantities.of(metric).text(run.final[metric]) if metric in run.final else run.status
            for metric in ('validation/top1', 'test/top1'))])
  return ['## Learning rate', '', 'With all seeds at 0.', '', *figures.table_lines(
      ['learning rate', 'validation accuracy', 'test accuracy'], rows)]


def draw(sources: Mapping[str, measures.Sample], onsets: Mapping[int, measures.Sample],
         path: pathlib.Path) -> None:
  """Draws each measure of each source to that of all, and of each onset to that of none."""
  fig, ((left, right),) = panels.new(1, 2, (10, 4))
  for axis, samples, baseline in ((left, sources, 'all'), (right, onsets, 0)):
    if baseline not in samples:
      continue
    for shift, measure in enumerate(measures.MEASURES):
      found = [measures.log_ratios(one, samples[baseline])[shift] for one in samples.values()]
      places = [place + (shift - 2) / 10 for place in range(len(found))]
      axis.errorbar(places, [math.exp(one.value) for one in found],
                    yerr=[math.exp(one.value) * one.error for one in found], marker='o',
                    linestyle='', markersize=4, capsize=2, label=measure)
    axis.set_xticks(range(len(samples)), list(map(str, samples)))
    axis.axhline(1.0, color='gray', linewidth=1)
    axis.set_ylabel(f'to {"all sources" if baseline else "the first pass"}')
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
  left.set_xlabel('seed that differs')
  right.set_xlabel(f'seed of the augmentation differs from pass, of {small.PASSES}')
  left.legend(fontsize=7)
  fig.set_dpi(130)
  panels.save(fig, path)


if __name__ == '__main__':
  run()
