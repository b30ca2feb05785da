"""Figure 3 of Hoffer et al. 2020: fixed samples against batch augmentation, ResNet-44, CIFAR-10.

    python -m launch.sweep --experiment=experiments/hoffer2020/figure3.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/figure3.py \\
        --workdir=runs/hoffer2020

The baseline has 640 images in an update and 10 times the epochs, batch augmentation 64 images with
10 views of each: as many updates and as many samples. Section 4.1: the baseline's learning rate was
also multiplied by M^0.25, M^0.5, M and M^2, none of which improved it, and batch augmentation has
the higher accuracy, by 0.5 points. (Table 2, with M = 40, has 1.63.)

What the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_M = 10
# The learning rate is multiplied by M to this power.
_POWERS = (0.0, 0.25, 0.5, 1.0, 2.0)
_CELL = {'column': 'ba', 'power': 0.0, 'seed': 0, 'scale': 'full'}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'column=fixed_samples,power=0.5'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  return recipes.config(
      'resnet44_cifar10', cell['column'], multiplicity=_M, rate=_M**cell['power'],
      seed=cell['seed'], scale=cell['scale'])


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the run of batch augmentation, and the baseline's at each learning rate."""
  ba, samples = {'column': 'ba'}, {'column': 'fixed_samples'}
  return sweeps.of(
      'figure3', 'Figure 3: fixed samples and batch augmentation', scale,
      [{**ba, 'power': 0.0}, *({**samples, 'power': power} for power in _POWERS)],
      [paper.Claim('Batch augmentation is better than a large batch with as many updates and '
                   'samples.', '0.5 points', claims.better(ba, {**samples, 'power': 0.0})),
       paper.Claim('No larger learning rate improves the large batch.', 'section 4.1',
                   claims.all_of(*(claims.not_worse(
                       {**samples, 'power': 0.0}, {**samples, 'power': power}, within=0.1)
                                   for power in _POWERS[1:])))],
      others=('test/loss',))
