"""Table 3 of Hoffer et al. 2020: mixup with one view and with M views.

    python -m launch.sweep --experiment=experiments/hoffer2020/table3.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/table3.py \\
        --workdir=runs/hoffer2020

Printed, baseline and batch augmentation: ResNet-44 on CIFAR-10 94.60% and 95.55% (200 epochs),
WRN-28-10 97.30% and 97.80%, on CIFAR-100 82.50% and 84.30%, ResNet-50 76.70% and 77.04%. M is 10,
for ResNet-50 it is 4. One lambda for an update, partners by a permutation of all its rows: an image
may be mixed with a view of its own, which Fort et al. 2021 exclude.

What the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'row': 'resnet44_cifar10', 'column': 'ba', 'seed': 0, 'scale': 'full'}
# Row -> M and epochs.
_ROWS = {'resnet44_cifar10': (10, 200), 'wrn28_10_cifar10': (10, 200),
         'wrn28_10_cifar100': (10, 200), 'resnet50_imagenet': (4, 90)}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'row=wrn28_10_cifar10,column=fixed_steps'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  multiplicity, epochs = _ROWS.get(cell['row'], (10, 0))
  return recipes.config(**cell, multiplicity=multiplicity, epochs=epochs, mixup=True)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns two runs for each of the four rows."""
  rows = tuple(_ROWS) if scale == 'full' else ('resnet44_cifar10', 'resnet50_imagenet')
  return sweeps.of(
      'table3', 'Table 3: batch augmentation with mixup', scale,
      [{'row': row, 'column': column} for row in rows for column in ('fixed_steps', 'ba')],
      [paper.Claim(f'{recipes.ROWS[row].title}: batch augmentation improves on mixup alone.',
                   'Table 3', claims.better({'row': row, 'column': 'ba'},
                                            {'row': row, 'column': 'fixed_steps'}))
       for row in rows])
