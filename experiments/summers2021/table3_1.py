"""Table 3.1 of Summers 2021: five methods under white-box attacks, CIFAR-10.

    python -m launch.sweep --experiment=experiments/summers2021/table3_1.py \
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table3_1.py \
        --workdir=runs/summers2021

Accuracy on the 10,000 test images as they are, under FGSM and under PGD of 5, 10 and 20 steps, at
the end. Printed under PGD-20: 0.0% (regular), 34.4% (label smoothing), 45.3% (PGD), 48.5% (ALP),
51.0% (LRM); on clean images 87.4%, 86.9%, 75.8%, 74.0% and 68.5%.

Hardware: two GTX 1080 Ti for the whole chapter. An update of PGD takes its 10 steps and one pass,
of ALP and LRM two. What the thesis leaves open: robust.py.
"""

import ml_collections

from experiments.summers2021 import robust
from nfnets_am.sweeps import experiment_file

TABLE = robust.Table('table3_1', 'Table 3.1: white-box attacks on CIFAR-10', 'cifar10',
                     smoothing=0.1, beta=1e-3, ratio=0.125)


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=lrm'."""
  return robust.config(cell, TABLE)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the five rows, a run each."""
  return robust.sweep(TABLE, scale)
