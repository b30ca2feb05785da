"""Writes hoffer2020_text_small.md, .csv and .png from the runs of text_small.py.

    python -m experiments.hoffer2020.text_small_report --workdir=runs/hoffer2020_text_small \\
        --out=docs/results

Runs that are missing or not finished are named and never averaged.
"""

import os
import pathlib

from absl import flags

from experiments import miniature
from experiments.hoffer2020 import recipes
from nfnets_am.core import cli
from nfnets_am.core import quantities
from nfnets_am.reporting import evidence
from nfnets_am.reporting import figures
from nfnets_am.reporting import forgotten
from nfnets_am.reporting import legends
from nfnets_am.reporting import panels
from nfnets_am.reporting import signatures
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_WORKDIR = flags.DEFINE_string('workdir', None, 'Of the sweep of text_small.py.')
_OUT = flags.DEFINE_string('out', 'docs/results', 'Folder for the page, the data and the picture.')
_SCALE = flags.DEFINE_enum('scale', 'small', ['small', 'smoke'], 'Of text_small.py.')

_FOLDER = pathlib.Path(__file__).parent
_NAME = 'hoffer2020_text_small'
_TEST, _VALIDATION, _BLEU = 'test/perplexity', 'validation/perplexity', 'test/bleu'


def main() -> None:
  workdir, out = pathlib.Path(forgotten.folder(_WORKDIR.value)), pathlib.Path(_OUT.value)
  path = _FOLDER / 'text_small.py'
  sweep = experiment_file.get_sweep(path, _SCALE.value)
  results = reduction.reduce(
      sweep, experiment_file.get_runs(path, sweep), outcomes.Reader(workdir))
  out.mkdir(parents=True, exist_ok=True)
  (out / f'{_NAME}.md').write_text(page(results, workdir))
  figures.write_csv(figures.csv_rows(results), out / f'{_NAME}.csv')
  _draw(results, out / f'{_NAME}.png')
  print(f'page    {out / _NAME}.md\ndata    {out / _NAME}.csv\npicture {out / _NAME}.png')


def page(results: reduction.Results, workdir: pathlib.Path) -> str:
  """Returns the Markdown page."""
  header, rows = figures.claim_table(results)
  verdicts = [row[-1] for row in rows]
  counts = ', '.join(f'{verdicts.count(one)} {one}' for one in dict.fromkeys(verdicts))
  lines = [
      '# Dropout masks in miniature: verses, two CPU cores', '',
      *(_FOLDER / 'text_small_notes.md').read_text().splitlines(), '',
      *miniature.how_made(
          results, workdir, experiment='experiments/hoffer2020/text_small.py',
          report='experiments.hoffer2020.text_small_report', flags=f'--out={_OUT.value}',
          scale=_SCALE.value, name=_NAME, picture='perplexity of the columns and BLEU'),
      f'## Claims of the paper: {counts}', '', evidence.RULE, '',
      *figures.table_lines(header, rows),
      '## The columns of Table 2', '',
      'Mean ± standard deviation (ddof 0) of the finished runs. Samples are the segments trained '
      'on, each mask counted; compute is them, against fixed steps.', '',
      *figures.table_lines(
          ['column', 'streams', 'masks of each', 'updates', 'samples', 'compute',
           'test perplexity', 'validation perplexity', 'runs', 'state'],
          [_column(results, column) for column in recipes.COLUMNS]),
      '## Translation', '', *figures.table_lines(*_translation(results)),
      *signatures.lines(results)]
  return '\n'.join(lines) + '\n'


def _cell(results: reduction.Results, column: str) -> reduction.Cell:
  (found,) = results.matching({'task': 'verses', 'column': column})
  return found


def _translator(results: reduction.Results) -> reduction.Cell:
  (found,) = results.matching({'task': 'verses_en_es'})
  return found


def _column(results: reduction.Results, column: str) -> list[str]:
  cell, base = _cell(results, column), _cell(results, 'fixed_steps')
  derived, compute = cell.derived, cell.total_views / base.total_views
  sizes = [str(derived['unique']), str(derived['copies']), f'{derived["updates"]:,}',
           f'{cell.total_views:,}'] if derived else ['?'] * 4
  finished = sum(run.status == 'finished' for run in cell.runs)
  return [recipes.COLUMNS[column], *sizes,
          '?' if compute != compute else f'{compute:.3g} x', *(
              cell.summaries[metric].text(metric) if metric in cell.summaries else 'no run'
              for metric in (_TEST, _VALIDATION)), f'{finished}/{len(cell.runs)}', cell.state]


def _translation(results: reduction.Results) -> tuple[list[str], list[list[str]]]:
  cell = _translator(results)
  curves = {metric: dict(zip(*(x.tolist() for x in cell.history(metric)[:2]), strict=True))
            for metric in (_BLEU, _VALIDATION)}
  sentences = f'{cell.runs[0].final.get("test/sentences", 0):,.0f}'
  rows = [[f'{update:.0f}', *(
      quantities.of(metric).text(values[update]) if update in values else '?'
      for metric, values in curves.items()), sentences] for update in sorted(curves[_BLEU])]
  return ['updates', 'BLEU', 'validation perplexity', 'sentences'], rows or [['no run'] * 4]


def _draw(results: reduction.Results, path: str | os.PathLike) -> None:
  """Draws validation perplexity of the columns over the updates, and BLEU of the translation."""
  fig, axes = panels.new(1, 2, (8, 3.3))
  curves, bleu = axes.ravel()
  for i, (column, name) in enumerate(recipes.COLUMNS.items()):
    _line(curves, _cell(results, column), _VALIDATION, name, i)
  _line(bleu, _translator(results), _BLEU, '', 0)
  for axis, title, y in ((curves, 'language model', 'validation perplexity'),
                         (bleu, 'translation', 'BLEU')):
    axis.set_title(title, fontsize=8)
    axis.set_xlabel('updates', fontsize=8)
    axis.set_ylabel(y, fontsize=8)
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)
  if curves.get_legend_handles_labels()[0]:
    curves.legend(frameon=False, fontsize=7)
  panels.save(fig, path)


def _line(axis, cell: reduction.Cell, metric: str, name: str, style: int) -> None:
  updates, mean, deviation = cell.history(metric)
  if len(updates):
    colour = legends.COLOURS[style]
    axis.plot(updates, mean, color=colour, label=name or None, linewidth=1.2)
    axis.fill_between(updates, mean - deviation, mean + deviation, color=colour, alpha=0.2,
                      linewidth=0)


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main)
