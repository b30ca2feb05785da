"""Table 3.3 of Summers 2021: five methods under white-box attacks, CIFAR-100.

    python -m launch.sweep --experiment=experiments/summers2021/table3_3.py \
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table3_3.py \
        --workdir=runs/summers2021

As Table 3.1. Printed under PGD-20: 0.0% (regular), 0.2% (label smoothing), 23.6% (PGD), 25.9%
(ALP), 26.6% (LRM); on clean images 59.1%, 55.0%, 50.2%, 44.9% and 43.8%. Label smoothing fails.

Hardware and what the thesis leaves open: as of Table 3.1; robust.py.
"""

import ml_collections

from experiments.summers2021 import robust
from nfnets_am.sweeps import experiment_file

TABLE = robust.Table('table3_3', 'Table 3.3: white-box attacks on CIFAR-100', 'cifar100',
                     smoothing=0.1, beta=3e-5, ratio=0.95, pairing=5.0)


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=lrm'."""
  return robust.config(cell, TABLE)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the five rows, a run each."""
  return robust.sweep(TABLE, scale)
