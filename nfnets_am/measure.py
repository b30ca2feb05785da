"""Measures the variance between minibatch gradients at initialisation, and draws it (Figure 9).

    python -m nfnets_am.measure --experiment=experiments/fort2021/figure9.py \\
        --workdir=runs/figure9

A cell's budget says how many minibatches are drawn; no weight is ever updated. A cell is a run's
folder like any other, with the mean of every layer in layers.json, and the same command again
measures what is missing. Writes gradient_variance.csv and gradient_variance.png.
"""

from absl import flags
from absl import logging
from etils import epath
from rich import console
from rich import table

from nfnets_am.analysis import minibatch_variance
from nfnets_am.core import cli
from nfnets_am.reporting import figures
from nfnets_am.reporting import pictures
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction

_EXPERIMENT = flags.DEFINE_string('experiment', None, 'Experiment file with a get_sweep().')
_WORKDIR = flags.DEFINE_string('workdir', None, "The sweep's folder; each cell is a folder in it.")
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")
_CAPTION = ('Mean over seeds ± their deviation (ddof 0). The ratio is to the least n of the scheme '
            'seed by seed, as the scale of a gradient depends on its initialisation.')


def main() -> None:
  sweep = experiment_file.get_sweep(_EXPERIMENT.value, _SCALE.value)
  workdir = epath.Path(_WORKDIR.value)
  runs = experiment_file.get_runs(_EXPERIMENT.value, sweep)
  for i, run in enumerate(runs, 1):
    logging.info('cell %d of %d: %s', i, len(runs), run.cell)
    minibatch_variance.measure_cell(
        experiment_file.get_config(run.flags[0].removeprefix('--config=')), workdir / run.name)
  results = reduction.reduce(sweep, runs, outcomes.Reader(workdir))
  rows = minibatch_variance.rows_of(results.cells)
  figures.write_csv(rows, workdir / 'gradient_variance.csv')
  pictures.draw(results, workdir / 'gradient_variance.png')
  shown = table.Table(*rows[0], title=sweep.title, caption=_CAPTION)
  for row in rows[1:]:
    shown.add_row(*(f'{x:.4g}' if isinstance(x, float) else str(x) for x in row))
  out = console.Console()
  if not out.is_terminal:
    out = console.Console(width=120)
  out.print(shown)


if __name__ == '__main__':
  flags.mark_flags_as_required(['experiment', 'workdir'])
  cli.run(main)
