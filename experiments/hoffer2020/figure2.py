"""Figures 1 and 2 of Hoffer et al. 2020: ResNet-44 with cutout on CIFAR-10, M from 1 to 32.

    python -m launch.sweep --experiment=experiments/hoffer2020/figure2.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/figure2.py \\
        --workdir=runs/hoffer2020

64 unique images in every update, 64 M views, 100 epochs, the same learning rate for all. Figure 2
shows the validation error while training and at its end, which falls with M; Figure 1 the norm of
the gradient of these runs, which falls too. It is that of the whole update before the L2 term, as
the public code logs it [R]; what the paper smooths it with is not said.

The paper calls it validation error; here it is that of the test images. Hardware: one GPU or TPU
core. What the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

MULTIPLICITIES = (1, 2, 4, 8, 16, 32)
_CELL = {'multiplicity': 1, 'seed': 0, 'scale': 'full'}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=16'."""
  config = recipes.config('resnet44_cifar10', 'ba', **cells_lib.parse_cell(cell, _CELL))
  config.gradient_norm = True
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns a run for each M."""
  shown = MULTIPLICITIES if scale == 'full' else (1, 2)
  one, many = ({'multiplicity': shown[i]} for i in (0, -1))
  return sweeps.of(
      'figure2', 'Figures 1 and 2: validation error and gradient norm by M', scale,
      [{'multiplicity': n} for n in shown],
      [paper.Claim('The final validation error falls as M rises.', 'Figure 2',
                   claims.rises('multiplicity', shown)),
       paper.Claim('Batch augmentation reduces the norm of the gradient.', 'Figure 1',
                   claims.worse(one, many, 'train_views/gradient_norm'))],
      others=('test/loss', 'train_views/gradient_norm'))
