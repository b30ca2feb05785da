"""Figure 10: accuracy by temperature at 32 and 512 epochs, Wide-ResNet-16-4, CIFAR-100.

    python -m launch.sweep --experiment=experiments/fort2021/figure10.py --workdir=runs/fort2021
    python -m nfnets_am.report --experiment=experiments/fort2021/figure10.py --workdir=runs/fort2021

The runs of figures 4 and 5 at 32 and 512 epochs, with the outer learning rates added. No number is
printed: at 32 epochs all multiplicities are alike at small temperatures; at 512 epochs small
multiplicities are better at an equal temperature. What the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.fort2021 import grids
from experiments.fort2021 import layouts
from experiments.fort2021 import recipes
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'views=64,multiplicity=4,epochs=512,peak=0.125'."""
  return recipes.tuned(cell, views=1024)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs at both budgets and both batches."""
  shown = [('wide_resnet', regime, budget) for budget in (32, 512) for regime in ('large', 'small')]
  one, many = ({'multiplicity': n, 'epochs': grids.epochs(512, scale)}
               for n in (1, grids.many('wide_resnet', scale)))
  return experiment_file.Sweep(
      title='Figure 10: accuracy by temperature at 32 and 512 epochs',
      cells=grids.whole_curves(scale, shown),
      panels=layouts.by_temperature(scale, shown),
      claims=(
          *layouts.temperature_claims(scale, shown[:2], 'Figure 10(a, b)'),
          *(paper.Claim(f'At 512 epochs small multiplicities are better (B = {rows["views"]}).',
                        'Figure 10(c, d)', claims.better({**rows, **one}, {**rows, **many}))
            for rows in (grids.rows('wide_resnet', regime, scale)
                         for regime in ('large', 'small')))),
      note=grids.note(scale),
      **grids.tuned_sweep(scale))
