"""Table 1 of Hoffer et al. 2020: how the gradients of an image and of its views correlate.

    python -m launch.sweep --experiment=experiments/hoffer2020/table1.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/table1.py \\
        --workdir=runs/hoffer2020

Medians over 100 pairs of Pearson's correlation, in a new ResNet-44, after 5 and after 93 epochs of
its training with cutout and M = 40 (the run of Table 2's 95.43%). Printed, of an image and a view
by crop and flip: 0.99, 0.56 and 0.13; with cutout 0.99, 0.51 and 0.09; of two images of a class
0.99, 0.42 and 0.04; of two classes -0.11, -0.04 and 0.00.

The paper leaves open: the mode of batch norm (by moving statistics here, `mode` of the measure),
the L2 term (left out), and what its ± is (a standard deviation here). The training is a part of the
measure; hardware as of table2.py.
"""

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.sweeps import experiment_file

_CELL = {'seed': 0, 'scale': 'full'}
_KINDS = ('views_without', 'views', 'same_class', 'different_class')


def epochs(scale: str) -> tuple[int, int, int]:
  """Returns the epochs whose states are compared."""
  return (0, 1, 2) if scale == 'smoke' else (0, 5, 93)


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'seed=1'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  config = recipes.config('resnet44_cifar10', 'ba', **cell)
  smoke = cell['scale'] == 'smoke'
  if smoke:
    config.update({'unique': 40, 'budget': '2 epochs'})
  config.measure = (f"gradient_correlation(pairs={10 if smoke else 100}, epochs="
                    f"{epochs(cell['scale'])}, without='cutout')")
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the one cell."""
  metrics = [f'{kind}_{epoch}/correlation' for kind in _KINDS for epoch in epochs(scale)]
  return sweeps.of('table1', 'Table 1: correlation of gradients', scale, [{}], (),
                   metric=metrics[0], others=tuple(metrics[1:]))
