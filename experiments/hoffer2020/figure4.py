"""Figure 4 of Hoffer et al. 2020: ResNet-50 on ImageNet with 1 and with 4 views.

    python -m launch.sweep --experiment=experiments/hoffer2020/figure4.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/figure4.py \\
        --workdir=runs/hoffer2020

Training and validation error while training, 90 epochs: two runs of table2.py, whose folders it
shares. Printed at the end: 76.3% and 76.86%; batch augmentation reaches 75.7% at epoch 35, before
its second drop of the rate.

What the paper leaves open: recipes.py.
"""

import ml_collections

from experiments.hoffer2020 import sweeps
from experiments.hoffer2020 import table2
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell of table2.py, 'row=resnet50_imagenet,column=ba'."""
  return table2.get_config(cell)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the two runs."""
  row = {'row': 'resnet50_imagenet'}
  ba, steps = ({**row, 'column': column} for column in ('ba', 'fixed_steps'))
  return sweeps.of(
      'figure4', 'Figure 4: ResNet-50 with batch augmentation', scale, [steps, ba],
      [paper.Claim('Batch augmentation ends with a lower validation error.', '76.86 over 76.3',
                   claims.better(ba, steps)),
       paper.Claim('Batch augmentation reaches the accuracy of the baseline in fewer epochs (1.2 '
                   'times).', '75.7 at epoch 35, 0.6 less than 76.3 at epoch 90',
                   claims.sooner(ba, steps, 1.2))],
      others=('test/loss', 'train_views/top1', 'train_views/loss'))
