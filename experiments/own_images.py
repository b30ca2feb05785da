"""Your own images: a folder with a folder for each class, and no line of code (docs/own_images.md).

    python -m nfnets_am.train --config=experiments/own_images.py --workdir=runs/own \
        --config.data.set=folder:PATH

An NF-ResNet-50 at 224 pixels by the recipe of Fort et al. 2021, section 2, with 64 unique images in
an update; every number of it is a start, not a result. The learning rate follows the rule
0.1 U / 256 of the networks' public code. As a sweep, with 1 and with 4 views of each image, it
looks for the images in data/images:

    python -m launch.sweep --experiment=experiments/own_images.py --workdir=runs/own

The scale 'smoke' trains a tiny network for 4 updates, on the stand-in for ImageNet
(docs/experiments.md) unless data.set says another set.
"""

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.sweeps import experiment_file

_CELL = {'multiplicity': 1, 'seed': 0, 'scale': 'full'}
_SCALES = ('full', 'smoke')


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'multiplicity=4,seed=1'."""
  cell = cells_lib.parse_cell(cell, _CELL)
  if cell['scale'] not in _SCALES:
    raise errors.ConfigError(f'scale={cell["scale"]!r}; allowed: {", ".join(_SCALES)}')
  config = schema.get_default()
  config.multiplicity = cell['multiplicity']
  config.unique = 64
  config.seed = cell['seed']
  config.budget = '90 epochs'
  config.data = ml_collections.ConfigDict({
      'name': 'stream', 'set': 'folder:images', 'data_dir': 'data',
      'augment': 'crop(224) | flip() | normalise()', 'eval_crop': 'crop_resize',
      'on_bad_record': 'skip', 'bad_fraction': 0.01})
  config.model = ml_collections.ConfigDict(
      {'name': 'nf_resnet50', 'dropout': 0.25, 'stochastic_depth': 0.1})
  config.objective = ml_collections.ConfigDict({'name': 'cross_entropy', 'label_smoothing': 0.1})
  config.schedule = ml_collections.ConfigDict(
      {'name': 'warmup_cosine', 'peak': 0.025, 'warmup': '5 epochs'})
  config.optimizer.nesterov = True
  config.optimizer.weight_decay = 5e-5
  config.optimizer.decay_mask = 'no_gain_bias'
  config.eval_batch = 64
  config.eval_every = '10 percent'
  config.log_every = '1 percent'
  if cell['scale'] == 'smoke':
    config.update({
        'unique': 4, 'budget': '4 updates', 'eval_batch': 4, 'log_every': '1 updates',
        'data': {'set': 'stand_in', 'data_dir': 'runs/data', 'lanes': 1,
                 'augment': 'crop(28) | flip() | normalise()'},
        'model': {'name': 'nf_resnet_tiny'},
        'schedule': {'warmup': '1 updates'}})
  return config


def get_sweep(scale: str = 'full') -> experiment_file.Sweep:
  """Returns four runs: multiplicities 1 and 4, two seeds each."""
  return experiment_file.Sweep(
      title='Augmentation multiplicity on your own images',
      cells=tuple({'multiplicity': n, 'seed': seed, **({} if scale == 'full' else {'scale': scale})}
                  for n in (1, 4) for seed in (0, 1)),
      metric='test/top1')
