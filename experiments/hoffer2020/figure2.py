"""Figure 2 of Hoffer et al. 2020: validation error of ResNet-44 with cutout, M from 1 to 32.

    python -m launch.sweep --experiment=experiments/hoffer2020/figure2.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/figure2.py \\
        --workdir=runs/hoffer2020

64 unique images of CIFAR-10 in every update, 64 M views, 100 epochs, the same learning rate for
all. The figure shows the validation error while training and at its end, which falls with M; no
number is printed. What the paper calls validation is the test set here. The norm of the gradient of
the same runs is figure1.py.

Hardware: one GPU or TPU core. What the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'multiplicity': 1, 'seed': 0, 'scale': 'full'}


def shown(scale: str) -> tuple[int, ...]:
  """Returns the values of M at a scale."""
  return (1, 2) if scale == 'smoke' else (1, 2, 4, 8, 16, 32)


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=16'."""
  config = recipes.config('resnet44_cifar10', 'ba', **cells_lib.parse_cell(cell, _CELL))
  config.gradient_norm = True
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns a run for each M."""
  many = shown(scale)
  return sweeps.of(
      'figure2', 'Figure 2: validation error by M', scale, [{'multiplicity': n} for n in many],
      [paper.Claim('The final validation error falls as M rises.', 'Figure 2',
                   claims.rises('multiplicity', many)),
       paper.Claim('Batch augmentation reaches the accuracy of the baseline in fewer epochs (1.2 '
                   'times).', 'Figure 2a', claims.sooner(
                       {'multiplicity': many[-1]}, {'multiplicity': 1}, 1.2))],
      others=('test/loss', 'train_views/loss'))
