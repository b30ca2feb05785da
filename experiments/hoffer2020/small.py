"""Hoffer et al. 2020 in miniature: a ResNet-8 with batch norm on Fashion-MNIST and two CPU cores.

    python -m launch.sweep --experiment=experiments/hoffer2020/small.py \\
        --workdir=runs/hoffer2020_small --jobs=2
    python -m experiments.hoffer2020.small_report --workdir=runs/hoffer2020_small \\
        --out=docs/results

The three columns of Table 2 at M = 8, Figure 2's sweep over M from 1 to 8 with Figure 1's norms,
Table 1's correlations, and the columns once more with ghost batches of 16. The learning rate of the
baseline comes first, then everything seed by seed, so that it can be stopped early. 'smoke' does
all of it in a few updates.

The paper prints no number for this. Choices:
- images: 500 for training, 2,000 for validation, out of the 12,000 of the bundled set; 2,000 for
  testing. One draw of them for all runs: what differs between seeds is weights, order and views.
- network: the paper's blocks, one a stage, 8 channels: 20,000 weights.
- views: zeros around, crop, flip, a hole of 14 of 28 pixels.
- regime: that of ResNet-44, 16 images in an update, 50 epochs with a drop at 81%.
- learning rate: by factors of 2 at seed 0 of the baseline, on validation images; the best, PEAK, is
  that of all runs, as in the paper.
- norm: batch norm over all rows of an update, as in the paper's rows of CIFAR; with ghost batches
  the statistics are of as many images in all three columns.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from experiments.hoffer2020 import recipes
from experiments.hoffer2020 import small_claims
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

# Best of the rates below for the baseline at seed 0, by validation accuracy.
PEAK = 0.2
_PEAKS = (0.025, 0.05, 0.1, 0.2, 0.4)
_CELL = {'column': 'ba', 'multiplicity': 1, 'norm': 'batch', 'peak': PEAK, 'measured': 0, 'seed': 0,
         'scale': 'small'}
# Where the rate falls, as a share of the updates.
DROP = 0.81
NORMS = {'batch': 'batch()', 'ghost': 'ghost(size=16)'}
# Scale -> training images, validation images, epochs, pairs, M of the columns, seeds.
_SCALES = {'small': (500, 2000, 50, 100, 8, 3), 'smoke': (64, 100, 2, 8, 2, 1)}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'column=fixed_samples,multiplicity=8,seed=1'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  _check(cell['scale'])
  recipes.check(cell['column'], 'full')
  train_images, validation, epochs, pairs, _, _ = _SCALES[cell['scale']]
  many, column = cell['multiplicity'], cell['column']
  longer = many if column == 'fixed_samples' else 1
  config = schema.get_default()
  config.update({
      'multiplicity': many if column == 'ba' else 1, 'unique': 16 * longer,
      'budget': f'{epochs * longer} epochs', 'seed': cell['seed'],
      'data': {'set': 'fashion_mnist_small', 'train_images': train_images,
               'validation': validation, 'apply': 'device', 'layout': 'view_major',
               'augment': 'pad_crop(pad=4) | flip() | normalise() | cutout(length=14)'},
      'optimizer': {'weight_decay': 1e-4, 'decay_mask': 'not_norm_bias'}, 'gradient_norm': True,
      'schedule': {'name': 'piecewise', 'peak': cell['peak'], 'scales': (1.0, 0.1),
                   'boundaries': (f'{round(100 * DROP)} percent',)},
      'eval_every': '25 percent', 'log_every': '5 percent',
      'checkpoint': {'every': '50 percent', 'keep': 1}})
  config.model = ml_collections.ConfigDict(
      {'name': 'resnet_cifar', 'depth': 8, 'width': 8, 'norm': NORMS[cell['norm']]})
  config.evals = ml_collections.ConfigDict(
      {split: {'name': 'accuracy', 'split': split} for split in ('validation', 'test')})
  if cell['measured']:
    config.measure = f'gradient_correlation(pairs={pairs}, epochs={compared(cell["scale"])})'
  return config


def get_sweep(scale: str = 'small') -> experiment_file.Sweep:
  """Returns the runs of a scale."""
  _check(scale)
  _, _, _, pairs, many, _ = _SCALES[scale]
  return experiment_file.Sweep(
      title='Hoffer et al. 2020 in miniature, on Fashion-MNIST', cells=tuple(_cells(scale)),
      others=('validation/top1', small_claims.NORM,
              *(small_claims.correlation(kind, epoch) for kind in small_claims.KINDS
                for epoch in compared(scale))),
      claims=small_claims.of({'peak': PEAK, 'measured': 0}, many, tuple(NORMS),
                             multiplicities(scale), compared(scale), pairs))


def _cells(scale: str) -> Iterator[dict[str, Any]]:
  extra = {} if scale == 'small' else {'scale': scale}
  _, _, _, _, many, seeds = _SCALES[scale]
  plain = {'column': 'fixed_steps', 'multiplicity': 1}
  for peak in _PEAKS:
    if peak != PEAK:
      yield _cell(plain | extra, seed=0, peak=peak)
  for seed in range(seeds):
    for norm in NORMS:
      for column in recipes.COLUMNS:
        yield _cell(extra, column=column, multiplicity=1 if column == 'fixed_steps' else many,
                    norm=norm, seed=seed)
    # The sweep over M, whose first and last values are columns.
    for multiplicity in multiplicities(scale)[1:-1]:
      yield _cell(extra, column='ba', multiplicity=multiplicity, seed=seed)
    yield _cell(extra, column='ba', multiplicity=many, measured=1, seed=seed)


def _cell(extra: dict[str, Any], **values: Any) -> dict[str, Any]:
  return {**{key: value for key, value in _CELL.items() if key != 'scale'}, **extra, **values}


def multiplicities(scale: str) -> tuple[int, ...]:
  """Returns M of the sweep over it."""
  return (1, 2) if scale == 'smoke' else (1, 2, 4, 8)


def compared(scale: str) -> tuple[int, ...]:
  """Returns the epochs whose states have their gradients compared."""
  return (0, 1, 2) if scale == 'smoke' else (0, 3, 46)


def _check(scale: str) -> None:
  if scale not in _SCALES:
    raise errors.ConfigError(f'scale={scale}; allowed: {", ".join(_SCALES)}')
