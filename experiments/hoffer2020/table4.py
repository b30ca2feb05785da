"""Table 4 of Hoffer et al. 2020: the mean of ten views at test time, with and without BA.

    python -m launch.sweep --experiment=experiments/hoffer2020/table4.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/table4.py \\
        --workdir=runs/hoffer2020

Each network is tested on the image alone and on ten of the views that it was trained on, whose
logits are averaged. Printed for ResNet-44 on CIFAR-10: 93.41% and 94.33% for the baseline, 95.03%
and 96.00% with M = 10. The improvement is the share of the errors that the views remove, here from
13.96% to 19.52%; what the paper prints for ResNet-50 with BA, 4.49%, needs Table 2's 76.86% in
place of its own 77.85%.

The paper leaves open whether cutout is among the views (not here [C]). Views of ImageNet are
windows of 224 pixels in images of 256 [C]. M is 10, for DARTS and AmoebaNet 8: their numbers are
Table 2's.
"""

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'row': 'resnet44_cifar10', 'column': 'ba', 'seed': 0, 'scale': 'full'}
# Row -> M.
_ROWS = {'resnet44_cifar10': 10, 'darts_cifar10': 8, 'amoebanet_cifar10': 8,
         'wrn28_10_cifar100': 10, 'resnet50_imagenet': 4}
_METRIC = 'views/top1'


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'row=darts_cifar10,column=fixed_steps'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  config = recipes.config(**cell, multiplicity=_ROWS.get(cell['row'], 10))
  views = {'name': 'views', 'split': 'test', 'flip': True, 'random': 10, 'every': '100 percent'}
  if recipes.ROWS[cell['row']].crop:
    size = config.data.eval_size
    config.data.eval_size = size * 8 // 7
    config.evals.test.update({'name': 'views', 'size': size, 'stride': 0})
    config.evals.views = ml_collections.ConfigDict({**views, 'size': size})
  else:
    config.evals.views = ml_collections.ConfigDict({**views, 'pad': 4})
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns two runs for each of the five rows."""
  rows = tuple(_ROWS) if scale == 'full' else ('resnet44_cifar10', 'resnet50_imagenet')
  return sweeps.of(
      'table4', 'Table 4: ten views at test time', scale,
      [{'row': row, 'column': column} for row in rows for column in ('fixed_steps', 'ba')],
      [paper.Claim(f'{recipes.ROWS[row].title}: with ten views at test time, batch augmentation is '
                   'better than the baseline.', 'Table 4',
                   claims.better({'row': row, 'column': 'ba'},
                                 {'row': row, 'column': 'fixed_steps'}))
       for row in rows],
      metric=_METRIC, others=('test/top1',))
