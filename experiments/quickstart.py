"""Quickstart: the growing batch of Fort et al. 2021 (Figure 2) in miniature, on a CPU in minutes.

    make quickstart

or its two halves:

    python -m launch.sweep --experiment=experiments/quickstart.py --workdir=runs/quickstart --jobs=2
    python -m nfnets_am.report --experiment=experiments/quickstart.py --workdir=runs/quickstart

U = 16 unique images in every update, with 1 and with 4 views each, for the same number of updates;
2 seeds. A small SkipInit Wide-ResNet on a part of Fashion-MNIST, which is in the repository.

The paper prints no number for this. The learning rate was chosen at n = 1 and seed 0 from 0.025,
0.05, 0.1 and 0.2, by the accuracy on 2,000 validation images (--config.data.validation=2000
--config.evals.test.split=validation --config.schedule.peak=0.1 and so on), and is the same for
n = 4, as the paper finds for a growing batch. The schedule is the paper's: constant, then halved
ten times. The scale 'smoke' does all of it in 40 updates.
"""

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

_NOTE = """
## What this shows, and what not

In this growing batch both rows have the same number of updates on the same number of unique images,
and n = 4 computes 4 times as much in each update: the comparison is of accuracy at equal updates,
not at equal compute. Two seeds give a rough idea of the spread and no more. A small model on a part
of a small data set, at one budget, says nothing of the size of the effect elsewhere, and nothing of
the paper's second claim, a fixed batch, which needs far longer runs.
"""
_CELL = {'multiplicity': 1, 'seed': 0, 'scale': 'full'}
_SCALES = ('full', 'smoke')


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=4,seed=1'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  if cell['scale'] not in _SCALES:
    raise errors.ConfigError(f'scale={cell["scale"]!r}; allowed: {", ".join(_SCALES)}')
  smoke = cell['scale'] == 'smoke'
  config = schema.get_default()
  config.multiplicity = cell['multiplicity']
  config.unique = 16
  config.seed = cell['seed']
  config.budget = '40 updates' if smoke else '2000 updates'
  config.data.set = 'fashion_mnist_small'
  config.data.train_images = 200 if smoke else 2000
  config.data.augment = 'pad_crop(pad=2) | flip() | normalise()'
  config.model = ml_collections.ConfigDict({'name': 'wide_resnet', 'depth': 10, 'width': 1})
  config.schedule = ml_collections.ConfigDict({'name': 'halving', 'peak': 0.05})
  config.penalty = 'l2(coefficient=5e-4)'
  config.evals.train = ml_collections.ConfigDict({'name': 'accuracy', 'split': 'train'})
  config.eval_every = '20 percent'
  config.log_every = '5 updates' if smoke else '50 updates'
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns the four runs: multiplicities 1 and 4, two seeds each."""
  return experiment_file.Sweep(
      title='Quickstart: augmentation multiplicity on a part of Fashion-MNIST',
      cells=tuple({'multiplicity': n, 'seed': seed, **({} if scale == 'full' else {'scale': scale})}
                  for n in (1, 4) for seed in (0, 1)),
      metric='test/top1',
      others=('train/loss',),
      note=_NOTE)
