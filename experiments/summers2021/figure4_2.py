"""Figures 4.2 and A.3 of Summers 2021: networks with group norm, weighed at inference.

    python -m launch.sweep --experiment=experiments/summers2021/figure4_2.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/figure4_2.py \\
        --workdir=runs/summers2021

A network of group norm on each of CIFAR-100, SVHN and Caltech-256, B = 128. At alpha 1 it is group
norm as it trained; below, a share of the moving averages, which training collects and does not use,
stands in for the image's own statistics. No number is printed. The thesis finds small gains of a
little of them: in accuracy on Caltech-256, in cross-entropy on the other two; and, on SVHN above
all, a wide range of alpha that does no harm (figure A.3).

Accuracies are of validation images, alpha is chosen on them too, as in section 4.3. "A wide range"
is down to 0.5 here, "no harm" half a point [C]. Hardware: two GTX
1080 Ti, hours not said; 3 runs as those of figure4_3. What else the thesis leaves
open: norm_recipes.py.
"""

import ml_collections

from experiments.summers2021 import norm_recipes
from experiments.summers2021 import tables
from experiments.summers2021 import weighing
from nfnets_am.config import cells as cells_lib
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

# Both figures': close to 1, and all of it.
ALPHAS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.92, 0.94, 0.96, 0.98, 0.99, 1.0)
TOP1, LOSS = (weighing.Curve(ALPHAS, key, weighing.VALIDATION, off=1.0) for key in ('top1', 'loss'))


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'data=svhn'."""
  cell = cells_lib.parse_cell(cell, norm_recipes.schema_of(data='cifar100'))
  config = norm_recipes.config_of(
      cell['data'],
      norm_recipes.norm('group', groups=norm_recipes.groups_of(cell['data'], cell['scale'])),
      seed=cell['seed'], scale=cell['scale'])
  return norm_recipes.weigh(config, ALPHAS)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns a run for each data set."""
  tables.check_scale(scale)
  extra = {'scale': scale} if scale == 'smoke' else {}
  of = lambda data: {'data': data}
  return experiment_file.Sweep(
      title='Figures 4.2 and A.3: weighing networks of group norm',
      cells=tuple({**of(data), 'seed': 0, **extra} for data in norm_recipes.DATA),
      metric=TOP1.at(1.0),
      others=tuple(dict.fromkeys((*TOP1.metrics[::-1], *LOSS.metrics[::-1])))[1:],
      claims=(
          paper.Claim('A little of the moving averages improves accuracy on Caltech-256.',
                      'Figure 4.2', weighing.gains(of('caltech256'), 0, curve=TOP1)),
          *(paper.Claim(f'A little of the moving averages improves cross-entropy on {name}.',
                        'Figure 4.2', weighing.gains(of(data), 0, curve=LOSS))
            for data, name in (('cifar100', 'CIFAR-100'), ('svhn', 'SVHN'))),
          paper.Claim('On SVHN alpha of 0.5 takes no more than half a point [C].', 'Figure A.3',
                      weighing.near(of('svhn'), 1.0, 0.5, 0.005, TOP1))),
      note=tables.SMOKE_NOTE if scale == 'smoke' else '')
