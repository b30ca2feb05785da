"""Figures 4.4 and A.4 of Summers 2021: ghost batches of all sizes, weighed at inference.

    python -m launch.sweep --experiment=experiments/summers2021/figure4_4.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/figure4_4.py \\
        --workdir=runs/summers2021

The networks of figure 4.3, B' from 2 to 128 on CIFAR-100, SVHN and Caltech-256, each at many alpha.
No number is printed. The thesis finds that weighing adds more the smaller B' is, on top of what
ghost batches add, and that the best alpha falls as B' grows, "with the possible unusual exception
of optimizing for loss on SVHN", which is why no claim is made of that.

Accuracies are of validation images, alpha is chosen on them too, as in section 4.3. Held against
each other are B' = 2 and 128 [C]. Hardware: two GTX 1080 Ti, hours not
said; 21 runs as those of figure4_3. What else the thesis leaves open: norm_recipes.py.
"""

import ml_collections

from experiments.summers2021 import figure4_3
from experiments.summers2021 import norm_recipes
from experiments.summers2021 import tables
from experiments.summers2021 import weighing
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

# Both figures': close to 0, and all of it.
ALPHAS = (0.0, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
TOP1, LOSS = (weighing.Curve(ALPHAS, key, weighing.VALIDATION) for key in ('top1', 'loss'))
_NAMES = {'cifar100': 'CIFAR-100', 'svhn': 'SVHN', 'caltech256': 'Caltech-256'}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'data=svhn,size=16'."""
  return norm_recipes.weigh(figure4_3.get_config(cell), ALPHAS)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs: three data sets, seven sizes."""
  tables.check_scale(scale)
  extra = {'scale': scale} if scale == 'smoke' else {}
  of = lambda data, size: {'data': data, 'size': size}
  small, large = figure4_3.SIZES[0], figure4_3.SIZES[-1]
  found = []
  for data, name in _NAMES.items():
    pair = of(data, small), of(data, large)
    found += [
        paper.Claim(f"On {name} weighing adds more to the accuracy of B' = {small} than to that "
                    f'of {large}.', 'Figure 4.4', weighing.gains_more(*pair, TOP1)),
        paper.Claim(f"On {name} it is on top of ghost batches: weighing improves each of B' from "
                    '2 to 16.', 'Figure 4.4', claims.all_of(*(
                        weighing.gains(of(data, size), 0, curve=TOP1)
                        for size in figure4_3.SIZES[:4]))),
        paper.Claim(f"On {name} the best alpha by accuracy is larger at B' = {small} than at "
                    f'{large}.', 'Figure A.4', weighing.needs_more(*pair, TOP1))]
    if data != 'svhn':
      found.append(paper.Claim(
          f"On {name} the best alpha by cross-entropy is larger at B' = {small} than at {large}.",
          'Figure A.4', weighing.needs_more(*pair, LOSS)))
  return experiment_file.Sweep(
      title='Figures 4.4 and A.4: alpha by the size of ghost batches',
      cells=norm_recipes.distinct(
          ({**of(data, size), 'seed': 0, **extra}
           for data in norm_recipes.DATA for size in figure4_3.SIZES), get_config),
      metric=TOP1.at(0.0), others=(*TOP1.metrics[1:], *LOSS.metrics),
      panels=tuple(paper.Panel(f'{data}, alpha {alpha:g}', x='size', metric=TOP1.at(alpha),
                               where={'data': data}, line='data')
                   for data in norm_recipes.DATA for alpha in (0.0, 0.1)),
      claims=tuple(found), note=tables.SMOKE_NOTE if scale == 'smoke' else '')
