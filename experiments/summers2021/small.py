"""Summers 2021, Table 2.1 in miniature: all methods on Fashion-MNIST and one CPU core.

    python -m launch.sweep --experiment=experiments/summers2021/small.py \\
        --workdir=runs/summers2021_small
    python -m experiments.summers2021.small_report --workdir=runs/summers2021_small \\
        --out=docs/results

Under an hour on an idle core; the same commands again go on. The learning rate of the baseline
comes first, then all methods seed by seed, so that it can be stopped early. 'smoke' does all of it
in 6 updates.

The thesis prints no number for this. Choices:
- images: 500 for training, 2,000 for validation, out of the 12,000 of the bundled set; 2,000 for
  testing. One draw of them for all runs: what differs between seeds is weights, order and draws.
- network: a SkipInit WRN-10-1 with a stride of 2 in the first convolution. It has no batch
  normalisation, unlike the thesis' ResNet-18, and costs a hundredth of it.
- augmentation: the thesis', normalised first, then padded by 4, cropped, flipped and mixed with the
  second image of a disjoint pair, by the data set's statistics; for BC+ and VH-BC+ each image first
  loses its own mean, and the set's standard deviation stays.
- schedule: the thesis' pieces, at the same fractions of the run.
- learning rate: by factors of 2 at seed 0 of the baseline, on validation images; the best, PEAK, is
  that of all methods, whose own rates are not tuned [as the thesis].
- L2: 5e-4 for all, as on CIFAR-100, so that the methods alone differ.
- seeds: 3, none chosen by its first epochs.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from experiments.summers2021 import recipes
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

# Best of the rates below for the baseline at seed 0, by validation accuracy.
PEAK = 0.025
_PEAKS = (0.0125, 0.025, 0.05, 0.1, 0.2)
_CELL = {'method': recipes.BASELINE, 'peak': PEAK, 'seed': 0, 'scale': 'small'}
# Scale -> training images, validation images, updates, model.
_SCALES = {
    'small': (500, 2000, 1250,
              {'name': 'wide_resnet', 'depth': 10, 'width': 1, 'stem_stride': 2}),
    'smoke': (128, 100, 6, {'name': 'wide_resnet_tiny'}),
}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'method=vh_mixup,seed=1'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  if cell['scale'] not in _SCALES:
    raise errors.ConfigError(f'scale={cell["scale"]}; allowed: {", ".join(_SCALES)}')
  train_images, validation, updates, model = _SCALES[cell['scale']]
  config = schema.get_default()
  config.unique = 64
  config.seed = cell['seed']
  config.budget = f'{updates} updates'
  config.data.set = 'fashion_mnist_small'
  config.data.train_images = train_images
  config.data.validation = validation
  config.data.augment = recipes.way(
      cell['method'], 'normalise()', recipes.PER_IMAGE_CALL, channels=1)
  config.data.apply = 'device'
  config.model = ml_collections.ConfigDict(model)
  config.schedule = ml_collections.ConfigDict({
      'name': 'piecewise', 'peak': cell['peak'], 'scales': recipes.SCALES,
      'boundaries': tuple(round(b * updates / recipes.UPDATES) for b in recipes.BOUNDARIES),
      'inclusive': True})
  config.penalty = 'l2(coefficient=5e-4)'
  config.evals = ml_collections.ConfigDict(
      {split: {'name': 'accuracy', 'split': split} for split in ('validation', 'test', 'train')})
  config.eval_every = '100 percent'
  config.log_every = '10 percent'
  config.checkpoint.every = '100 percent'
  config.checkpoint.keep = 1
  return config


def get_sweep(scale: str = 'small') -> experiment_file.Sweep:
  """Returns the runs of a scale."""
  if scale not in _SCALES:
    raise errors.ConfigError(f'scale={scale}; allowed: {", ".join(_SCALES)}')
  return experiment_file.Sweep(
      title='Summers 2021 in miniature, on Fashion-MNIST',
      cells=tuple(_cells(scale)),
      others=('validation/top1', 'train/loss'))


def _cells(scale: str) -> Iterator[dict[str, Any]]:
  extra = {} if scale == 'small' else {'scale': scale}
  for peak in _PEAKS:
    yield {'method': recipes.BASELINE, 'peak': peak, 'seed': 0, **extra}
  for seed in range(3 if scale == 'small' else 1):
    for method in recipes.METHODS:
      if (method, seed) != (recipes.BASELINE, 0):
        yield {'method': method, 'peak': PEAK, 'seed': seed, **extra}
