"""Table 5 of Hoffer et al. 2020: images a second by batch, ResNet-50, on whatever device this is.

    python -m launch.sweep --experiment=experiments/hoffer2020/table5.py --workdir=runs/hoffer2020
    python -m nfnets_am.report --experiment=experiments/hoffer2020/table5.py \\
        --workdir=runs/hoffer2020

The median of 200 updates of batches that are there already, and their deviation. Printed for a
P100: from 29.9 images a second with a batch of 1 over 210.1 with 32 to 247.9 with 128. Ours are of
another device, so what is compared is how they rise: 1.8 times from a batch of 1 to 2, and 5.7%
from 64 to 128.

The images are random photographs of the size of ImageNet's, made by
`python -m nfnets_am.data.tools.stand_in --data_dir=runs/data`: what is in them does not matter.
Here also [C]: float32, batch norm over the whole batch.
"""

import ml_collections

from experiments.hoffer2020 import checks
from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import sweeps
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'views': 32, 'scale': 'full', 'seed': 0}
_METRIC = 'step/images_per_second'
_UPDATES = {'full': 200, 'smoke': 3}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'views=128'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  smoke = cell['scale'] == 'smoke'
  size = 28 if smoke else 224
  config = schema.get_default()
  config.update({
      'views': cell['views'], 'budget': '1 updates', 'seed': cell['seed'],
      'data': {'name': 'stream', 'set': 'stand_in', 'data_dir': 'runs/data', 'lanes': 1,
               'eval_size': size, 'augment': f'crop({size}) | flip() | normalise()'},
      'optimizer': {'weight_decay': 1e-4, 'decay_mask': 'not_norm_bias'},
      'schedule': {'name': 'constant', 'peak': 0.1},
      'measure': f'throughput(updates={_UPDATES[cell["scale"]]}{", warmup=1" if smoke else ""})'})
  config.model = ml_collections.ConfigDict({'name': 'resnet_tiny' if smoke else 'resnet50'})
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns a cell for each batch."""
  recipes.check('ba', scale)
  shown = (1, 2) if scale == 'smoke' else (1, 2, 4, 8, 16, 32, 64, 128)
  of = lambda place: {'views': shown[place]}
  count = _UPDATES[scale]
  return sweeps.of(
      'table5', 'Table 5: images a second by batch', scale, [{'views': n} for n in shown],
      [paper.Claim('A batch of 2 has nearly twice the images a second of a batch of 1 (over 1.5 '
                   'times).', '1.8 times', checks.ratio(of(0), of(1), _METRIC, count, over=1.5)),
       paper.Claim('The last doubling of the batch adds little (under 1.2 times).', '5.7%',
                   checks.ratio(of(-2), of(-1), _METRIC, count, under=1.2))],
      metric=_METRIC, others=('step/deviation',))
