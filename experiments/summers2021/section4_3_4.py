"""Section 4.3.4 of Summers 2021: batch-group norm against group norm, two images in a batch.

    python -m launch.sweep --experiment=experiments/summers2021/section4_3_4.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/section4_3_4.py \\
        --workdir=runs/summers2021

Validation accuracies at B = 2, each weighed at the best alpha of validation: printed 73.91% (group
norm) and 74.60% on CIFAR-100, means of three runs, 48.2% and 53.2% on Caltech-256, of two, 98.75%
and 98.73% on SVHN. The report sets them beside ours without weighing, at alpha 1 of group norm and
0 of batch-group norm; the claims weigh.

The thesis tunes the groups of group norm and does not print them: 32, of Inception-v3 16 [C]. SVHN:
one run [C]. Hardware: two GTX 1080 Ti, hours not said; 12 runs, each with 64 times the updates
of B = 128. What else the thesis leaves open: norm_recipes.py.
"""

import pathlib

import ml_collections

from experiments.summers2021 import norm_recipes
from experiments.summers2021 import tables
from experiments.summers2021 import weighing
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

METHODS = ('group', 'batch_group')
# Data set -> runs of each norm.
_RUNS = {'cifar100': 3, 'caltech256': 2, 'svhn': 1}
# Of either norm: close to 0, and close to 1.
ALPHAS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0)
_UNION = weighing.Curve(ALPHAS, shown=weighing.VALIDATION)


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'data=svhn,method=batch_group'."""
  cell = cells_lib.parse_cell(cell, norm_recipes.schema_of(data='cifar100', method='group'))
  if cell['method'] not in METHODS:
    raise errors.ConfigError(f'method={cell["method"]!r}; allowed: {", ".join(METHODS)}')
  config = norm_recipes.config_of(
      cell['data'], norm_recipes.norm(
          cell['method'], 2, norm_recipes.groups_of(cell['data'], cell['scale'])),
      seed=cell['seed'], scale=cell['scale'], batch=2)
  return norm_recipes.weigh(config, ALPHAS)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the runs of two norms on three data sets."""
  tables.check_scale(scale)
  extra = {'scale': scale} if scale == 'smoke' else {}
  of = lambda data: [{'data': data, 'method': method} for method in METHODS]
  better = lambda data, least: weighing.ahead(*of(data)[::-1], least=least, curve=_UNION)
  return experiment_file.Sweep(
      title='Section 4.3.4: batch-group norm of two images',
      cells=tuple({**one, 'seed': seed, **extra} for data, runs in _RUNS.items()
                  for one in of(data) for seed in range(1 if extra else runs)),
      metric=_UNION.at(0.0), others=(_UNION.at(1.0), *_UNION.metrics[1:-1]),
      numbers=paper.read_numbers(
          pathlib.Path(__file__).with_name('paper_chapter4.json'), 'section4_3_4'),
      claims=(
          paper.Claim('On CIFAR-100 batch-group norm is better than group norm.', '74.60, 73.91',
                      better('cifar100', 0.0)),
          paper.Claim('On Caltech-256 it is better by over 2 points [C].', '53.2, 48.2',
                      better('caltech256', 0.02)),
          paper.Claim('On SVHN it is not worse by more than 0.2 points [C].', '98.73, 98.75',
                      better('svhn', -0.002))),
      note=tables.SMOKE_NOTE if scale == 'smoke' else '')
