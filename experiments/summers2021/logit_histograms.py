"""Draws the histograms of figures 3.1 and 3.2 of Summers 2021 from the logits that runs have kept.

    python -m experiments.summers2021.logit_histograms --figure=figure3_1 \\
        --workdir=runs/summers2021 --out=runs/figure3_1_logits.png

--scale is that of the sweep.
"""

import pathlib

from absl import flags
from etils import epath

from nfnets_am.core import cli
from nfnets_am.evaluation import predictions
from nfnets_am.reporting import panels
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper

# Figure -> title of a plot -> (evaluation, what the runs' cells have).
_PLOTS = {
    'figure3_1': {
        'PGD': ('test', {'method': 'pgd', 'squeezing': 0.0, 'logits': 0}),
        'ALP': ('test', {'method': 'alp', 'squeezing': 0.0, 'logits': 0})},
    'figure3_2': {
        f's = {s:g}, {title}': (name, {'smoothing': s, 'logits': ''})
        for title, name in (('original', 'test'), ('PGD', 'pgd10')) for s in (0.0, 0.75)},
}
_FIGURE = flags.DEFINE_enum('figure', None, list(_PLOTS), 'Which figure.')
_WORKDIR = flags.DEFINE_string('workdir', None, 'Of its sweep.')
_SCALE = flags.DEFINE_string('scale', 'full', 'Of its sweep.')
_OUT = flags.DEFINE_string('out', None, 'The picture.')


def main() -> None:
  path = pathlib.Path(__file__).with_name(f'{_FIGURE.value}.py')
  runs = experiment_file.get_runs(path, experiment_file.get_sweep(path, _SCALE.value))
  reader, plots = outcomes.Reader(_WORKDIR.value), _PLOTS[_FIGURE.value]
  fig, axes = panels.new(len(plots) // 2, 2, (7, 2.6 * (len(plots) // 2)))
  for axis, (title, (evaluation, where)) in zip(axes.flat, plots.items(), strict=True):
    found = next(reader.read(run) for run in runs if paper.matches(run.cell, where))
    axis.set_title(title, fontsize=8)
    if found.status == 'finished':
      kept = predictions.read(epath.Path(found.folder) / 'predictions' / f'{evaluation}.npz')
      axis.hist(kept['logits'].ravel(), bins=100, density=True)
    else:
      axis.text(0.5, 0.5, f'the run is {found.status}', transform=axis.transAxes, ha='center')
    axis.tick_params(labelsize=7)
    axis.grid(alpha=0.3)
  panels.save(fig, _OUT.value)
  print(f'picture {_OUT.value}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['figure', 'workdir', 'out'])
  cli.run(main)
