"""Table 4.1 of Summers 2021: CIFAR-100 in batches of four classes, norms and example weighing.

    python -m launch.sweep --experiment=experiments/summers2021/table4_1.py \\
        --workdir=runs/summers2021
    python -m nfnets_am.report --experiment=experiments/summers2021/table4_1.py \\
        --workdir=runs/summers2021

Accuracy on the 10,000 test images of a pre-activation ResNet-18 trained on 40,000. A batch of 128
holds 32 images of each of four classes, drawn with replacement. Printed without example weighing
from 40.1% (batch norm) to 75.2% (batch-group norm), and with an alpha tuned on the validation
images from 50.8% (ghost batches of 64) to 76.1%. The report's numbers are those without, at alpha
0; its claims choose alpha.

Hardware: not said; each of the 9 rows is a run of chapter 2, 2 hours of a GTX 1080 Ti there. Runs
of a row: 1, as the thesis seems to have [C]. Rows of a batch are in random order [C], so that a
ghost batch holds several classes. What else the thesis leaves open: norm_recipes.py.
"""

import pathlib

import ml_collections

from experiments.summers2021 import norm_recipes
from experiments.summers2021 import tables
from experiments.summers2021 import weighing
from nfnets_am.config import cells as cells_lib
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_GHOST = (64, 32, 16, 8, 4, 2)
# (method, B') in the order of the table.
ROWS = (('batch', 128), ('renorm', 128), *(('ghost', size) for size in _GHOST), ('batch_group', 2))


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=ghost,size=16'."""
  cell = cells_lib.parse_cell(cell, norm_recipes.schema_of(method='batch', size=128))
  tables.check_scale(cell['scale'])
  smoke = cell['scale'] == 'smoke'
  size = min(cell['size'], 16) if smoke else cell['size']
  config = norm_recipes.config_of(
      'cifar100', norm_recipes.norm(cell['method'], size, 4 if smoke else 32), seed=cell['seed'],
      scale=cell['scale'])
  config.order.update({'name': 'class_batches', 'classes': 4})
  return norm_recipes.weigh(config, weighing.ALPHAS)


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the nine rows."""
  tables.check_scale(scale)
  extra = {'scale': scale} if scale == 'smoke' else {}
  row = lambda method, size: {'method': method, 'size': size}
  ghosts = [row('ghost', size) for size in _GHOST]
  best, batch, renorm = row('batch_group', 2), row('batch', 128), row('renorm', 128)
  return experiment_file.Sweep(
      title='Table 4.1: batches of four classes',
      cells=norm_recipes.distinct(
          ({**row(*one), 'seed': 0, **extra} for one in ROWS), get_config),
      metric=weighing.OFF,
      others=tuple(dict.fromkeys((*weighing.METRICS[1:], *weighing.CHOSEN_BY))),
      numbers=paper.read_numbers(
          pathlib.Path(__file__).with_name('paper_chapter4.json'), 'table4_1'),
      claims=(
          paper.Claim('Example weighing alone gives batch norm 20 points.', '40.1 to 62.2',
                      weighing.gains(batch, 0.15)),
          paper.Claim('It has practically no effect on batch renormalisation (0.1 points or less).',
                      '69.0, 69.0', weighing.gains(renorm, -0.001, 0.001)),
          paper.Claim('With it, ghost batches of 32 and less are better than renormalisation.',
                      '70.9, 72.2, 72.0, 71.5, 71.4; 69.0',
                      claims.all_of(*(weighing.ahead(ghost, renorm) for ghost in ghosts[1:]))),
          paper.Claim('Batch-group norm is better than all others.',
                      '76.1; 62.2, 69.0, 50.8, 70.9, 72.2, 72.0, 71.5, 71.4',
                      weighing.ahead(best, batch, renorm, *ghosts))),
      note=tables.SMOKE_NOTE if scale == 'smoke' else '')
