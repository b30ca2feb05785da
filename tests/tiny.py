"""An experiment for the tests: all the switches of the loop, in seconds."""

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.sweeps import experiment_file

_CELL = {'multiplicity': 2, 'seed': 0}


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  cell = cells_lib.parse_cell(cell, _CELL)
  config = schema.get_default()
  config.multiplicity = cell['multiplicity']
  config.seed = cell['seed']
  config.unique = 8
  config.budget = '24 updates'
  config.data.train_images = 100
  # Without TensorFlow a process starts in half the time.
  config.data.apply = 'device'
  config.data.augment = 'pad_crop(pad=2) | flip() | normalise()'
  config.model = ml_collections.ConfigDict({'name': 'wide_resnet_tiny', 'dropout': 0.1})
  config.schedule = ml_collections.ConfigDict({'name': 'halving', 'peak': 0.05})
  config.penalty = 'l2(coefficient=5e-4)'
  config.ema = 0.9999
  # A step of the test split: all of it would take most of a run's time.
  config.evals.test.update({'batch': 128, 'most': 1})
  config.eval_every = '8 updates'
  config.log_every = '3 updates'
  config.checkpoint.every = '4 updates'
  return config


def get_sweep() -> experiment_file.Sweep:
  return experiment_file.Sweep(
      title='Tiny', cells=tuple({'multiplicity': n, 'seed': 0} for n in (1, 2)))
