"""Table 2.1 of Summers 2021: CIFAR-10, a pre-activation ResNet-18, sixteen ways to mix and none.

    python -m launch.sweep --experiment=experiments/summers2021/table2_1.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table2_1.py \\
        --workdir=runs/summers2021

Error on the 10,000 test images at the last of 85,954 updates of 128, printed from 6.2% (Rand.
Elems.) over 5.4% (the baseline) to 3.8% (VH-Mixup, VH-BC+). Of 20 copies of a row the 3 with the
lowest training loss after 3 epochs go on, and their mean is the number.

Hardware: the thesis needs 2 hours a run on a GTX 1080 Ti; 51 whole runs and 289 of 3 epochs, here
about 110 such hours. L2: 1e-4 for what is mixed, 5e-4 for the baseline. What else the thesis leaves
open: recipes.py.
"""

import ml_collections

from experiments.summers2021 import recipes
from experiments.summers2021 import tables
from nfnets_am.sweeps import experiment_file


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=vh_mixup,seed=1'."""
  return tables.cifar(cell, data_set='cifar10', decay={'baseline': 5e-4, 'mixed': 1e-4})


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the 17 rows, 20 copies each, of which 3 are trained to the end."""
  return tables.sweep(
      'table2_1', 'Table 2.1: mixing on CIFAR-10', recipes.METHODS, scale, copies=tables.COPIES,
      epsilon=1.0,
      found=tables.statements('table2_1', outperforming=3))
