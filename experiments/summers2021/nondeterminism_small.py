"""Summers 2021, chapter 5 in miniature: sources of nondeterminism on Fashion-MNIST and two cores.

    python -m launch.sweep --experiment=experiments/summers2021/nondeterminism_small.py \\
        --workdir=runs/summers2021_nondeterminism_small --jobs=2
    python -m experiments.summers2021.nondeterminism_small_report \\
        --workdir=runs/summers2021_nondeterminism_small --out=docs/results

About 25 minutes on two idle cores; the same commands again go on, and what is there is measured.
'smoke' does all of it in 10 updates of 4 runs of each kind.

Tables 5.1, 5.3 and 5.5 and Figure 5.2 of the thesis, whose numbers stand beside these. Choices:
- images: 256 for training and 1,000 for testing, out of the bundled set; the same in all runs.
- network: a ResNet-10 of this family, 8 channels wide, with its initialisers and batch norms.
- recipe: that of chapter5.py, 20 passes of batches of 16; the ramp takes one pass.
- augmentation: padded by 1 and cropped, flipped. Test-time views are all 18 such crops.
- learning rate: by factors of 2 with seed 0, on 2,000 validation images; the best is PEAK.
- onset: the augmentation's seed changes from a pass on, after the thesis' parts of a run.
- 20 runs of each kind, seeds 1 to 20.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from experiments.summers2021 import chapter5
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

# Best of the rates below, by validation accuracy.
PEAK = 0.2
PEAKS = (0.05, 0.1, 0.2, 0.4)
SOURCES = ('init', 'shuffle', 'augment', 'all', 'bit')
# Whose seed changes late, and the passes, of 20, from which on it does: the thesis' epochs 50, 250,
# 400, 450 and 475 (there it is 480) of 500.
LATE = 'augment'
PASSES = 20
ONSETS = (2, 10, 16, 18, 19)
CYCLES = 5
_CELL = {'source': 'all', 'cycles': 1, 'onset': 0, 'peak': PEAK, 'seed': 1, 'scale': 'small'}
# Scale -> training images, rows, passes, width, runs of a kind, test images.
_SCALES = {'small': (256, 16, PASSES, 8, 20, 1000), 'smoke': (32, 16, 5, 2, 4, 64)}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'source=bit,seed=7' or 'source=augment,onset=24,seed=1'.
  """
  cell = cells_lib.parse_cell(cell, _CELL)
  for key, allowed in (('scale', _SCALES), ('source', SOURCES)):
    if cell[key] not in allowed:
      raise errors.ConfigError(f'{key}={cell[key]!r}; allowed: {", ".join(allowed)}')
  images, rows, passes, width, _, tested = _SCALES[cell['scale']]
  config = schema.get_default()
  config.update({
      'views': rows, 'seed': cell['seed'], 'budget': f'{passes * images // rows} updates',
      'data': {'set': 'fashion_mnist_small', 'train_images': images, 'validation': 2000,
               'apply': 'device', 'augment': 'pad_crop(pad=1) | flip() | normalise()'},
      'model': {'name': 'padded_resnet10', 'width': width},
      'optimizer': {'name': 'sgd', 'weight_decay': 5e-4, 'rates': chapter5.RATES},
      'schedule': {'name': 'cosine', 'peak': cell['peak'], 'cycles': cell['cycles'],
                   'warmup': f'{images // rows if passes == PASSES else 1} updates'},
      'eval_every': '100 percent', 'log_every': '20 percent'})
  config.checkpoint.update({'every': '100 percent', 'keep': 1})
  if cell['onset']:
    config.reseed.epoch = cell['onset']
    for name in schema.SEEDS:
      config.seeds[name] = 0
    config.reseed[LATE] = cell['seed']
  else:
    chapter5.vary(config, cell['source'], cell['seed'])
  _evaluate(config, cell, tested)
  return config


def _evaluate(config: ml_collections.ConfigDict, cell: dict[str, Any], tested: int) -> None:
  at = tuple(f'{100 * k // CYCLES} percent' for k in range(1, CYCLES + 1))
  more = {'keep_at': at} if cell['cycles'] > 1 else {}
  config.evals.test = ml_collections.ConfigDict({'name': 'accuracy', 'keep': True, **more})
  if cell['seed'] == 0:
    config.evals.validation = ml_collections.ConfigDict(
        {'name': 'accuracy', 'split': 'validation'})
  elif cell['source'] == 'all':
    # All views of all snapshots would take longer than the training.
    for name, pad in (('flip', 0), ('flip_crop', 1))[:1 if more else 2]:
      config.evals[name] = ml_collections.ConfigDict(
          {'name': 'views', 'flip': True, 'pad': pad, 'keep': True, **more})
  for part in config.evals.values():
    if part.get('split') != 'validation':
      part.update({'batch': tested, 'most': 1})


def get_sweep(scale: str = 'small') -> experiment_file.Sweep:
  """Returns the runs of a scale."""
  if scale not in _SCALES:
    raise errors.ConfigError(f'scale={scale}; allowed: {", ".join(_SCALES)}')
  return experiment_file.Sweep(
      title='Nondeterminism in miniature, on Fashion-MNIST', cells=tuple(_cells(scale)),
      others=('test/loss',))


def _cells(scale: str) -> Iterator[dict[str, Any]]:
  extra = {} if scale == 'small' else {'scale': scale}
  for peak in PEAKS:
    yield {'source': 'all', 'cycles': 1, 'onset': 0, 'peak': peak, 'seed': 0, **extra}
  kinds = [*((source, 1, 0) for source in SOURCES), ('all', CYCLES, 0)]
  kinds += [(LATE, 1, onset) for onset in (ONSETS if scale == 'small' else (2,))]
  # Kind by kind: runs of one kind share their programs.
  for source, cycles, onset in kinds:
    for seed in range(1, _SCALES[scale][4] + 1):
      yield {'source': source, 'cycles': cycles, 'onset': onset, 'peak': PEAK, 'seed': seed,
             **extra}
