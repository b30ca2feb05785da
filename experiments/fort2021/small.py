"""Fort et al. 2021 in miniature."""

import ml_collections

from nfnets_am import config as config_lib
from nfnets_am import errors
from nfnets_am import experiment_file

_SCHEMES = ('within', 'neighbouring')
_CELL = {'scheme': 'within', 'unique': 64, 'multiplicity': 1, 'epochs': 32, 'peak': 0.1, 'seed': 0}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  """Returns the config of a cell such as 'unique=16,multiplicity=4,epochs=128'."""
  cell = config_lib.parse_cell(cell, _CELL)
  if cell['scheme'] not in _SCHEMES:
    raise errors.ConfigError(f'scheme={cell["scheme"]}; allowed: {", ".join(_SCHEMES)}')
  config = config_lib.get_default()
  config.multiplicity = cell['multiplicity']
  if cell['scheme'] == 'neighbouring':
    config.views, config.neighbouring = cell['unique'], True
  else:
    config.unique = cell['unique']
  config.seed = cell['seed']
  config.budget = f'{cell["epochs"]} epochs'
  config.data.name = 'fashion_mnist_small'
  config.data.train_images = 500
  config.data.validation = 2000
  config.data.augment = 'pad_crop(pad=4) | flip() | normalise()'
  config.data.apply = 'device'
  config.model = ml_collections.ConfigDict(
      {'name': 'wide_resnet', 'depth': 10, 'width': 1, 'stem_stride': 2})
  config.schedule = ml_collections.ConfigDict({'name': 'halving', 'peak': cell['peak']})
  config.optimizer.l2 = 5e-4
  config.eval.splits = ('validation', 'test', 'train')
  config.eval.every = '25 percent'
  config.log_every = '10 percent'
  config.checkpoint.every = '25 percent'
  config.checkpoint.keep = 1
  return config


def _cells():
  """Yields the runs, whole comparisons first."""
  def cell(kind, epochs, peak, seed):
    scheme, unique, n = kind
    return {'scheme': scheme, 'unique': unique, 'multiplicity': n, 'epochs': epochs, 'peak': peak,
            'seed': seed}

  one, two, four = ('within', 64, 1), ('within', 32, 2), ('within', 16, 4)
  growing_one, neighbouring = ('within', 16, 1), ('neighbouring', 64, 4)
  # Learning rates, at seed 0.
  for kind, epochs, peaks in (
      (one, 128, (0.05, 0.1, 0.2, 0.4)), (four, 32, (0.025, 0.05, 0.1, 0.2)),
      (growing_one, 32, (0.0125, 0.025, 0.05, 0.1)), (neighbouring, 32, (0.05, 0.1, 0.2)),
      (one, 512, (0.05, 0.1)), (four, 128, (0.05, 0.1)), (growing_one, 128, (0.05,))):
    for peak in peaks:
      yield cell(kind, epochs, peak, 0)
  yield cell(four, 512, 0.1, 0)
  yield cell(growing_one, 512, 0.05, 0)
  for seed in (1, 2):
    for kind, epochs, peak in (
        (growing_one, 32, 0.05), (four, 32, 0.1), (one, 128, 0.1),
        (growing_one, 128, 0.05), (four, 128, 0.1), (one, 512, 0.1)):
      yield cell(kind, epochs, peak, seed)
  yield cell(neighbouring, 128, 0.1, 0)
  for seed in (1, 2):
    yield cell(neighbouring, 32, 0.1, seed)
    yield cell(neighbouring, 128, 0.1, seed)
  yield cell(one, 2048, 0.1, 0)
  for seed in (1, 2):
    yield cell(growing_one, 512, 0.05, seed)
  yield cell(four, 512, 0.1, 1)
  yield cell(one, 2048, 0.1, 1)
  # Accuracy by temperature at 128 epochs.
  yield cell(four, 128, 0.025, 0)
  yield cell(one, 128, 0.025, 0)
  yield cell(four, 128, 0.0125, 0)
  for seed in (0, 1, 2):
    yield cell(two, 64, 0.1, seed)
    yield cell(two, 256, 0.1, seed)
  yield cell(four, 512, 0.1, 2)
  yield cell(one, 2048, 0.1, 2)


def get_sweep() -> experiment_file.Sweep:
  """Returns the runs."""
  return experiment_file.Sweep(title='Fort et al. 2021 in miniature', cells=tuple(_cells()))
