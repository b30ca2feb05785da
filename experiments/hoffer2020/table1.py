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

from experiments.hoffer2020 import checks
from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'seed': 0, 'scale': 'full'}
_PAIRS = {'full': 100, 'smoke': 10}
# Of CIFAR-10.
_CLASSES = 10
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
  config.measure = (f"gradient_correlation(pairs={_PAIRS[cell['scale']]}, epochs="
                    f"{epochs(cell['scale'])}, without='cutout')")
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the one cell."""
  recipes.check('ba', scale)
  at, pairs = epochs(scale), _PAIRS[scale]
  name = lambda kind, epoch: f'{kind}_{epoch}/correlation'
  metrics = [name(kind, epoch) for kind in _KINDS for epoch in at]
  gaps = lambda high, low, epochs: [(name(high, epoch), name(low, epoch)) for epoch in epochs]
  views = ('views_without', 'views')
  return sweeps.of(
      'table1', 'Table 1: correlation of gradients', scale, [{}],
      [paper.Claim('In training, an image and its views correlate more than two images of a class.',
                   '0.56 and 0.51 over 0.42, 0.13 and 0.09 over 0.04', checks.more({}, [
                       gap for kind in views for gap in gaps(kind, 'same_class', at[1:])], pairs)),
       paper.Claim('At any time they correlate more than images of two classes.',
                   '0.99 over -0.11, 0.51 over -0.04, 0.09 over 0', checks.more({}, [
                       gap for kind in views for gap in gaps(kind, 'different_class', at)], pairs)),
       paper.Claim('With random weights all gradients of a class correlate (over 0.9).', '0.99',
                   checks.near({}, name('same_class', 0), 1.0, 0.1, pairs)),
       paper.Claim('With random weights those of two classes correlate at -1 / (K - 1) (within '
                   '0.02).', '-0.11 ± 0.01', checks.near(
                       {}, name('different_class', 0), -1 / (_CLASSES - 1), 0.02, pairs)),
       paper.Claim('Cutout slightly lowers what views have before two images of a class.',
                   '0.51 under 0.56, 0.09 under 0.13',
                   checks.more({}, gaps('views_without', 'views', at[1:]), pairs))],
      epsilon=0.05, metric=metrics[0], others=tuple(metrics[1:]))
