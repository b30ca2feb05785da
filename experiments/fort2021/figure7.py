"""Figure 7: accuracy by temperature (learning rate times n) at 128 epochs, fixed batches.

    python -m launch.sweep --experiment=experiments/fort2021/figure7.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure7.py --workdir=runs/fort2021

The runs of figures 4, 5 and 6 at 128 epochs: in a common workdir they are trained once. Added are
learning rates, so that the grid of n reaches the temperatures of n = 1: from a centre of
centre / n on. No number is printed: at small temperatures all multiplicities are alike, large ones
stay stable at larger temperatures and reach higher accuracy. What the paper leaves open:
recipes.py.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import layouts
from experiments.fort2021 import recipes
from experiments.fort2021 import statements
from nfnets_am.sweeps import experiment_file


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'views=64,multiplicity=4,epochs=128,peak=0.125'."""
  return recipes.tuned(cell, views=1024)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs at 128 epochs, both models at both batches."""
  shown = [(model, regime, 128) for model in ('wide_resnet', 'nf_resnet50')
           for regime in ('large', 'small')]
  return experiment_file.Sweep(
      title='Figure 7: accuracy by temperature at 128 epochs',
      cells=grids.whole_curves(scale, shown),
      panels=layouts.by_temperature(scale, shown),
      claims=(*statements.of_temperature(scale, shown, 'Figure 7'),
              statements.pronounced(scale, 'nf_resnet50', grids.epochs(128, scale))),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
