"""Summers 2021, chapter 4, in miniature: batch norms of a ResNet-8 on Fashion-MNIST, two CPU cores.

    python -m launch.sweep --experiment=experiments/summers2021/norms_small.py \\
        --workdir=runs/summers2021_norms_small --jobs=2
    python -m experiments.summers2021.norms_small_report \\
        --workdir=runs/summers2021_norms_small --out=docs/results

Ghost sizes (figure 4.3), alpha over them (figures 4.2 and 4.4), scales and offsets that decay
(section 4.3.3), two images with batch-group norm (4.3.4), batches from 1 to 128 with four norms
(figure 4.5 a) and batches of four classes (table 4.1). The learning rate of batch norm comes first,
then everything seed by seed, so that it can be stopped early. 'smoke' does all of it in a few
updates.

The thesis prints no number for this. Choices:
- images: 500 for training, 500 for validation, out of the 12,000 of the bundled set; 2,000 for
  testing. One draw of them for all runs: what differs between seeds is weights, order and crops.
- network: a ResNet-8 of 8, 16 and 32 channels, whose norm stands behind its convolution; 4 groups.
- length: 30 passes whatever B is, 117 updates of 128: small batches have more updates, and that
  alone may make them better. The rate rises for a twentieth and falls as a cosine.
- learning rate: by factors of 2 at seed 0, on validation images: of batch norm at B = 128 for all
  norms of batches, of group norm for the two of groups, of batch-group norm for batches of four
  classes; each times B / 128.
- augmentation: crops that move by 2 pixels at most, and flips, so that it can learn its images.
- moving averages: their horizon is 1,280 images whatever B is. The public layer's decay of 0.99 is
  100 updates, nearly all that a run of B = 128 has.
- renormalisation: its ramps end at the same fractions of the run as Ioffe's in chapter 2's 85,954,
  at limits of 1.5 and 0.5: with his 3 and 5 a run so short did not learn.
- decay of scales and offsets: 5e-3, ten times that of the kernels: a run is a 500th as long.
- four classes: 8 images of each in a batch of 32, as a class has but 50.
- alpha: chosen by a cell's mean on validation images, shown on test images.
"""

from collections.abc import Iterator
from typing import Any

import ml_collections

from experiments.summers2021 import norm_recipes
from experiments.summers2021 import norms_small_claims
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

_CELL = {**norms_small_claims.BATCH, 'seed': 0, 'scale': 'small'}
# Scale -> training images, validation images, passes, channels, evaluated at most, seeds.
_SCALES = {'small': (500, 500, 30, 8, 0, 3), 'smoke': (320, 40, 1, 4, 1, 1)}
_GROUPS = 4
# Images that the moving averages remember.
_HORIZON = 1280
_DECAYS = {
    'none': '',
    'to_one': " | towards(coefficient=5e-3) | l2(coefficient=5e-3, mask='norm_offset')",
    'to_zero': " | l2(coefficient=5e-3, mask='norm_scale') "
               "| l2(coefficient=5e-3, mask='norm_offset')",
}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'norm=ghost,size=8,seed=1'.

  `size` is B' of 'ghost' and the images of a group of 'batch_group'; `classes`, if not 0, are those
  of a batch.
  """
  cell = cells_lib.parse_cell(cell, _CELL)
  check(cell['scale'])
  if cell['decay'] not in _DECAYS:
    raise errors.ConfigError(f'decay={cell["decay"]!r}; allowed: {", ".join(_DECAYS)}')
  train_images, validation, passes, channels, most, _ = _SCALES[cell['scale']]
  batch = cell['batch']
  updates = max(2, round(passes * train_images / batch))
  config = schema.get_default()
  config.update({
      'views': batch, 'seed': cell['seed'], 'budget': f'{updates} updates',
      'data': {'set': 'fashion_mnist_small', 'train_images': train_images,
               'validation': validation, 'apply': 'device',
               'augment': 'normalise() | pad_crop(pad=2) | flip()'},
      'penalty': f"l2(coefficient=5e-4, mask='kernels'){_DECAYS[cell['decay']]}",
      'eval_every': '100 percent', 'log_every': '10 percent',
      'checkpoint': {'every': '100 percent', 'keep': 1}})
  config.model = ml_collections.ConfigDict(
      {'name': 'resnet_cifar', 'depth': 8, 'width': channels,
       'norm': _norm(cell['norm'], cell['size'], batch)})
  config.schedule = ml_collections.ConfigDict({
      'name': 'cosine', 'peak': cell['peak'] * batch / 128, 'warmup': '5 percent'})
  if cell['classes']:
    config.order.update({'name': 'class_batches', 'classes': cell['classes']})
  config.evals = ml_collections.ConfigDict({
      **{split: {'name': 'accuracy', 'split': split} for split in ('test', 'train')},
      **{name: {'name': 'example_weighing', 'split': split,
                'alphas': norms_small_claims.ALPHAS}
         for name, split in norm_recipes.WEIGHED.items()}})
  if most:
    for one in config.evals.values():
      one.update({'most': most, 'batch': 20})
  return config


def _norm(method: str, size: int, batch: int) -> str:
  norm_recipes.norm(method)  # Refuses an unknown one.
  decay = round(1 - batch / _HORIZON, 7)
  moving = f"decay={decay}, variance='squares'"
  return {
      'batch': f'batch({moving})',
      'ghost': f'ghost(size={size}, {moving})',
      'group': f'group(groups={_GROUPS}, decay={decay})',
      'batch_group': f'batch_group(groups={_GROUPS}, examples={size}, decay={decay})',
      'renorm': 'renorm(r_max=1.5, d_max=0.5, r_ramp=(0.06, 0.47), d_ramp=(0.06, 0.29), '
                f"unit='progress', decay={decay})",
  }[method]


def get_sweep(scale: str = 'small') -> experiment_file.Sweep:
  """Returns the runs of a scale."""
  check(scale)
  curves = (norms_small_claims.TOP1, norms_small_claims.LOSS)
  return experiment_file.Sweep(
      title='Four things about batch normalisation in miniature, on Fashion-MNIST',
      cells=tuple(_cells(scale)),
      others=('train/top1', 'test/loss',
              *(metric for curve in curves for metric in (*curve.metrics, *curve.choosers))),
      claims=norms_small_claims.CLAIMS)


def _cells(scale: str) -> Iterator[dict[str, Any]]:
  extra = {} if scale == 'small' else {'scale': scale}
  for cell in norms_small_claims.RATES:
    yield {**cell, 'seed': 0, **extra}
  for seed in range(_SCALES[scale][-1]):
    for cell in norms_small_claims.CELLS:
      yield {**cell, 'seed': seed, **extra}


def check(scale: str) -> None:
  """Raises ConfigError for a scale that there is not."""
  if scale not in _SCALES:
    raise errors.ConfigError(f'scale={scale}; allowed: {", ".join(_SCALES)}')
