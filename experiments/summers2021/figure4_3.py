"""Figure 4.3 of Summers 2021: validation accuracy over the size of ghost batches, three data sets.

    python -m launch.sweep --experiment=experiments/summers2021/figure4_3.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/figure4_3.py \\
        --workdir=runs/summers2021

Batches of 128, B' from 2 to 128; 128 is batch norm. Accuracy on the validation images of a
pre-activation ResNet-18 (CIFAR-100, SVHN) and of Inception-v3 (Caltech-256). Printed are gains of
0.84 points on CIFAR-100 and of 5.8 on Caltech-256 over batch norm, and none on SVHN.

Hardware: not said; 21 runs, of 2 hours (ResNet-18) and 10 (Inception-v3) of a GTX 1080 Ti in
chapter 2. Caltech-256 has batches of 128 here too, of twice the rate and half the updates of
chapter 2's 64 [C]. What else the thesis leaves open: norm_recipes.py.
"""

import ml_collections

from experiments.summers2021 import norm_recipes
from experiments.summers2021 import tables
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

SIZES = (2, 4, 8, 16, 32, 64, 128)


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'data=svhn,size=16'."""
  cell = cells_lib.parse_cell(cell, norm_recipes.schema_of(data='cifar100', size=128))
  config = norm_recipes.config_of(
      cell['data'], norm_recipes.norm('ghost', min(cell['size'], 16)
                                      if cell['scale'] == 'smoke' else cell['size']),
      seed=cell['seed'], scale=cell['scale'])
  config.evals.validation = ml_collections.ConfigDict({'name': 'accuracy', 'split': 'validation'})
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs: three data sets, seven sizes."""
  tables.check_scale(scale)
  extra = {'scale': scale} if scale == 'smoke' else {}
  some = lambda data: claims.better({'data': data, 'size': SIZES[:-1]}, {'data': data, 'size': 128})
  return experiment_file.Sweep(
      title='Figure 4.3: sizes of ghost batches',
      cells=norm_recipes.distinct(
          ({'data': data, 'size': size, 'seed': 0, **extra}
           for data in norm_recipes.DATA for size in SIZES), get_config),
      metric='validation/top1',
      panels=tuple(paper.Panel(data, x='size', metric='validation/top1', where={'data': data},
                               line='data') for data in norm_recipes.DATA),
      claims=(paper.Claim('Some size is better than batch norm on CIFAR-100.', 'by 0.84 points',
                          some('cifar100')),
              paper.Claim('Some size is better than batch norm on Caltech-256.', 'by 5.8 points',
                          some('caltech256')),
              paper.Claim('On SVHN no size is better than batch norm by over 0.1 points [C].',
                          'no improvement',
                          claims.not_worse({'data': 'svhn', 'size': 128},
                                           {'data': 'svhn', 'size': SIZES}, 0.1))),
      note=tables.SMOKE_NOTE if scale == 'smoke' else '')
