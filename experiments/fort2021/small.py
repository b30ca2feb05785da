"""Fort et al. 2021, Figures 2, 4 to 7, 9 and 11 in miniature, on Fashion-MNIST and one CPU core.

    python -m launch.sweep --experiment=experiments/fort2021/small.py --workdir=runs/small
    python -m launch.sweep --experiment=experiments/fort2021/figure9.py \\
        --workdir=runs/figure9_small --scale=small
    python -m experiments.fort2021.small_report --workdir=runs/small \\
        --variance=runs/figure9_small --out=docs/results

A few hours on one core; the same commands again go on. The first of the three trains what
is compared before it adds budgets and learning rates, so that it can be stopped early. The results
are in docs/results/fashion_mnist_small.md. The scale 'full' takes the 60,000 + 10,000 images of
TFDS' `fashion_mnist`, the paper's WRN-16-4 and grids that grow, and needs an accelerator; 'smoke'
does all of it in 20 updates.

The network is a SkipInit WRN-10-1 on 500 training images, so that an epoch is cheap, the network
can learn its training set by heart, and budgets reach the epochs of the paper. A cell names U
(`unique`) and n (`multiplicity`), and with them both of the paper's schemes: U = 16, n = 4 is the
growing batch beside U = 16, n = 1, and the fixed batch of 64 views beside U = 64, n = 1 and U = 32,
n = 2. They share its runs. With scheme=neighbouring U is the batch, whose images come n times.

The paper prints no number for this. Choices:
- images: 500 for training, 2,000 for validation, out of the 12,000 of the bundled set; 2,000 for
  testing. One draw of them for all runs: what differs between seeds is weights, order and views.
- network: a stride of 2 in the first convolution, a quarter of the cost.
- augmentation, schedule, momentum and L2: the paper's (padding 4, crops, flips; halved ten times in
  the second half; 0.9; 5e-4).
- learning rate: by factors of 2 at seed 0 and 1,000 updates, 0.0125 to 0.4; 0.2 never learns. At
  the other seeds 0.05, and for B = 64 then 0.1, which does not always learn; at the longest budget
  the next lower one, too. The report takes the better one of every cell, of those with the most
  seeds, by the mean on the validation images. The paper tunes every cell on the test images.
- seeds: 3 for what is compared, 1 for what only shows a learning rate.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

_SCHEMES = ('within', 'neighbouring')
_CELL = {'scheme': 'within', 'unique': 64, 'multiplicity': 1, 'epochs': 32, 'peak': 0.1, 'seed': 0,
         'scale': 'small'}
# Scale -> data set, training images (0 is all), validation images, model.
_SCALES = {
    'small': ('fashion_mnist_small', 500, 2000,
              {'name': 'wide_resnet', 'depth': 10, 'width': 1, 'stem_stride': 2}),
    'full': ('fashion_mnist', 0, 5000, {'name': 'wide_resnet', 'depth': 16, 'width': 4}),
    'smoke': ('fashion_mnist_small', 64, 100, {'name': 'wide_resnet_tiny'}),
}
# (scheme, U, n) of the miniature.
_ONE, _TWO, _FOUR = ('within', 64, 1), ('within', 32, 2), ('within', 16, 4)
_GROWING_ONE, _NEIGHBOURING = ('within', 16, 1), ('neighbouring', 64, 4)
# What is trained, in this order: learning rates at seed 0; what is compared, at all seeds; the
# other learning rate and the neighbouring scheme; longer budgets, n = 2, lower rates for them;
# accuracy by temperature.
_TUNING = (
    (_ONE, 128, (0.05, 0.1, 0.2, 0.4)),
    (_FOUR, 32, (0.025, 0.05, 0.1, 0.2)),
    (_GROWING_ONE, 32, (0.0125, 0.025, 0.05, 0.1)),
    (_NEIGHBOURING, 32, (0.05, 0.1, 0.2)),
)
_SEEDED = (
    (_GROWING_ONE, (32, 128), 0.05), (_FOUR, (32, 128), 0.05), (_ONE, (128, 512), 0.05))
_OTHER_RATE = (
    (_FOUR, (128,), 0.1), (_ONE, (512,), 0.1), (_NEIGHBOURING, (32,), 0.05),
    (_FOUR, (32,), 0.1), (_ONE, (128,), 0.1))
_LONG = (
    (_ONE, (2048,), 0.1), (_NEIGHBOURING, (128,), 0.05), (_GROWING_ONE, (512,), 0.05),
    (_FOUR, (512,), 0.1), (_TWO, (64, 256), 0.05), (_TWO, (64, 256), 0.1))
# Where a seed never learned at the rate above, the next lower one; and the same for its rival.
_LONG_LOWER = ((_FOUR, (512,), 0.05), (_ONE, (2048,), 0.05), (_GROWING_ONE, (512,), 0.025))
_TEMPERATURE = ((_FOUR, 128, (0.0125, 0.025)), (_ONE, 128, (0.025,)))


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'unique=16,multiplicity=4,epochs=128'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  for key, allowed in (('scheme', _SCHEMES), ('scale', _SCALES)):
    if cell[key] not in allowed:
      raise errors.ConfigError(f'{key}={cell[key]}; allowed: {", ".join(allowed)}')
  name, train_images, validation, model = _SCALES[cell['scale']]
  config = schema.get_default()
  config.multiplicity = cell['multiplicity']
  if cell['scheme'] == 'neighbouring':
    config.views, config.neighbouring = cell['unique'], True
  else:
    config.unique = cell['unique']
  config.seed = cell['seed']
  config.budget = f'{cell["epochs"]} epochs'
  config.data.set = name
  config.data.train_images = train_images
  config.data.validation = validation
  config.data.augment = 'pad_crop(pad=4) | flip() | normalise()'
  config.data.apply = 'device'
  config.model = ml_collections.ConfigDict(model)
  config.schedule = ml_collections.ConfigDict({'name': 'halving', 'peak': cell['peak']})
  config.penalty = 'l2(coefficient=5e-4)'
  config.evals = ml_collections.ConfigDict(
      {split: {'name': 'accuracy', 'split': split} for split in ('validation', 'test', 'train')})
  config.eval_every = '25 percent'
  config.log_every = '10 percent'
  config.checkpoint.every = '25 percent'
  config.checkpoint.keep = 1
  return config


def get_sweep(scale: str = 'small') -> experiment_file.Sweep:
  """Returns the runs of a scale."""
  cells = {'small': _small, 'full': _full, 'smoke': _smoke}
  if scale not in cells:
    raise errors.ConfigError(f'scale={scale}; allowed: {", ".join(cells)}')
  return experiment_file.Sweep(
      title='Fort et al. 2021 in miniature, on Fashion-MNIST',
      cells=tuple(cells[scale]()),
      others=('train/loss',),
      tune='peak',
      select='validation',
      tune_factor=2.0 if scale == 'full' else 0.0)


def _cell(kind: tuple[str, int, int], epochs: int, peak: float, seed: int, **extra: Any
          ) -> dict[str, Any]:
  scheme, unique, n = kind
  return {'scheme': scheme, 'unique': unique, 'multiplicity': n, 'epochs': epochs, 'peak': peak,
          'seed': seed, **extra}


def _small() -> Iterator[dict[str, Any]]:
  first, last = ([_cell(kind, epochs, peak, 0) for kind, epochs, peaks in rows for peak in peaks]
                 for rows in (_TUNING, _TEMPERATURE))
  seeded = [_cell(kind, epochs, peak, seed) for rows in (_SEEDED, _OTHER_RATE, _LONG, _LONG_LOWER)
            for seed in (0, 1, 2) for kind, budgets, peak in rows for epochs in budgets]
  # Some of the learning rates are among the runs of seed 0.
  return iter({cells_lib.cell_name(cell): cell for cell in [*first, *seeded, *last]}.values())


def _full() -> Iterator[dict[str, Any]]:
  kinds = [('within', 64, n) for n in (1, 2, 4, 8, 16)]
  kinds += [('within', 64 // n, n) for n in (2, 4, 8, 16)]
  kinds += [('neighbouring', 64, n) for n in (2, 4, 8, 16)]
  for seed in range(3):
    for epochs in (8, 32, 128):
      for kind in kinds:
        for peak in (0.025, 0.05, 0.1):
          yield _cell(kind, epochs, peak, seed, scale='full')


def _smoke() -> Iterator[dict[str, Any]]:
  for kind, epochs in ((_GROWING_ONE, 5), (_FOUR, 5), (_ONE, 20), (_NEIGHBOURING, 5)):
    for seed in (0, 1):
      yield _cell(kind, epochs, 0.05, seed, scale='smoke')
