"""Table 3.5 of Summers 2021: five methods under white-box attacks, SVHN.

    python -m launch.sweep --experiment=experiments/summers2021/table3_5.py \
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table3_5.py \
        --workdir=runs/summers2021

As Table 3.1, on 604,388 images with an epsilon of 12/255 and 8 layers. Printed under PGD-20: 0.0%
(regular), 1.3% (label smoothing), 38.0% (PGD), 38.6% (ALP), 39.4% (LRM); on clean images 96.7%,
97.0%, 85.3%, 82.5% and 83.6%.

Hardware and what the thesis leaves open: as of Table 3.1; robust.py.
"""

import ml_collections

from experiments.summers2021 import robust
from nfnets_am.sweeps import experiment_file

TABLE = robust.Table(
    'table3_5', 'Table 3.5: white-box attacks on SVHN', 'svhn', smoothing=0.2, beta=1e-4,
    ratio=0.95, model={'name': 'madry_resnet', 'depth': 8}, epsilon=12 / 255, step_size=3 / 255,
    mix='mixup(alpha=1)', flip=False, epochs=(101, 101), schedule={
        'name': 'piecewise', 'peak': 0.01, 'boundaries': ('5 epochs', '80 epochs'),
        'scales': (0.1, 1.0, 0.1)})


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=lrm'."""
  return robust.config(cell, TABLE)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the five rows, a run each."""
  return robust.sweep(TABLE, scale)
