"""Table 5.6 of Summers 2021, ImageNet: ResNet-50 for five epochs.

    python -m launch.sweep --experiment=experiments/summers2021/table5_6_imagenet.py \\
        --workdir=runs/summers2021 --set=data.data_dir=DIR
    python -m nfnets_am.report --experiment=experiments/summers2021/table5_6_imagenet.py \\
        --workdir=runs/summers2021

30 runs for all sources and 30 for one bit of the first convolution; 56.8% mean top-1 accuracy. One
bit does about what all sources do (printed: deviations of accuracy 0.34 and 0.27 points, 24.7% and
26.3% disagreement); mirror images, nine crops and both take a little off what pairs of runs differ
by, and nothing clear off the deviations.

The thesis leaves the recipe open [C]: batches of 256, the rate from 0 to 0.1 in half an epoch and a
cosine from there on, SGD with momentum 0.9, decay 1e-4 on all parameters; a tenth of the rate on
biases and norms as in chapter5.py. Images are tested on their middle 224 pixels, the shorter side
at 256; crops are a 3x3 grid of the middle 256x256, 16 pixels apart. The network is Hoffer's
ResNet-50 (models/resnet.py), whose last norms start at 0.

Hardware: a run has 1.6e+17 FLOPs. It keeps 0.2 GB of logits for each of four evaluations, and a
row reads 6 GB. The rows are measured by a second command like the first, once all runs are
finished. The smoke scale takes the stand-in pictures (docs/experiments.md).
"""

from typing import Any

import ml_collections

from experiments.summers2021 import chapter5
from experiments.summers2021 import chapter5_claims
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper

_CELL = {'source': 'all', 'seed': 1, 'cycles': 1, 'row': '', 'count': 0, 'scale': 'full'}
_SOURCES = ('all', 'bit')
_ROWS = ('single', 'flip', 'crop', 'flip_crop')
_RUNS = 30
# Keys of evaluations; that of the stride makes the middle window or all nine.
_EVALUATIONS = {'test': (False, False), 'flip': (True, False), 'crop': (False, True),
                'flip_crop': (True, True)}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=bit,seed=7' or 'row=crop,count=30'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  for key, allowed in (('source', _SOURCES), ('row', ('', *_ROWS)), ('cycles', (1,)),
                       ('scale', chapter5.SCALES)):
    if cell[key] not in allowed:
      raise errors.ConfigError(f'{key}={cell[key]!r}; allowed: {", ".join(map(repr, allowed))}')
  crop, stored, step = (224, 256, 16) if cell['scale'] == 'full' else (28, 32, 2)
  config = schema.get_default()
  config.update({
      'views': 256, 'seed': cell['seed'], 'budget': '5 epochs', 'kernels': 0,
      'data': {'name': 'stream', 'set': 'imagenet2012', 'eval_crop': 'resize_short',
               'eval_size': stored, 'augment': f'crop({crop}) | flip() | normalise()'},
      'model': {'name': 'resnet50'},
      'optimizer': {'name': 'sgd', 'weight_decay': 1e-4, 'rates': chapter5.RATES},
      'schedule': {'name': 'cosine', 'peak': 0.1, 'warmup': '0.5 epochs'},
      'eval_every': '100 percent', 'eval_batch': 200})
  for name, (flip, grid) in _EVALUATIONS.items():
    config.evals[name] = ml_collections.ConfigDict(
        {'name': 'views', 'split': 'test', 'flip': flip, 'size': crop,
         'stride': step if grid else 0, 'keep': True})
  chapter5.vary(config, cell['source'], cell['seed'], 'resnet/stem')
  if cell['scale'] == 'smoke':
    _smoke(config)
  if cell['row']:
    config.measure = (
        f'agreement({chapter5.ROWS[cell["row"]]}vary={chapter5.SOURCES[cell["source"]]!r}, '
        f'count={chapter5.count_of(cell, cell["scale"])})')
  return config


def _smoke(config: ml_collections.ConfigDict) -> None:
  config.data.update({'set': 'stand_in', 'data_dir': 'runs/data', 'lanes': 1})
  config.model = ml_collections.ConfigDict({'name': 'resnet50', 'width': 2})
  config.schedule.warmup = '1 updates'
  config.update({'views': 8, 'budget': '4 updates', 'log_every': '2 updates', 'eval_batch': 16})
  config.checkpoint.every = '100 percent'


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns 30 runs of each source, and the rows of these."""
  def of(source: str = 'all', row: str = 'single') -> dict[str, Any]:
    return {'source': source, 'row': row, 'count': _RUNS}

  views = [of(row=row) for row in _ROWS[1:]]
  return experiment_file.Sweep(
      title='Table 5.6: ResNet-50 on ImageNet, five epochs',
      metric='single/top1_sd',
      others=(*(f'single/{metric}' for metric in chapter5.METRICS[1:]), 'single/reduction',
              'test/top1'),
      cells=chapter5.cells([of(), of('bit'), *views], scale),
      numbers=chapter5.numbers('table5_6_imagenet'),
      claims=(
          paper.Claim('One bit does about as much as all sources together (by a factor of 1.5).',
                      'Table 5.6', chapter5_claims.alike(of('bit'), of(), 1.5)),
          paper.Claim('Mirror images, crops and both reduce what pairs of runs differ by.',
                      'Section 5.6', claims.all_of(*(
                          chapter5_claims.below(row, of(), metrics=chapter5.METRICS[2:])
                          for row in views))),
          paper.Claim('Their deviations of accuracy and loss are about what they were (by a factor '
                      'of 1.5).', 'Section 5.6', claims.all_of(*(
                          chapter5_claims.alike(row, of(), 1.5, chapter5.METRICS[:2])
                          for row in views)))),
      note=chapter5.SMOKE_NOTE if scale == 'smoke' else '')
