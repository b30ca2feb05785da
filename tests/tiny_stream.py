"""An experiment for the tests that streams, mixes and augments; needs data.data_dir."""

import ml_collections

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema

_WAY = ("crop(16) | flip() | mix('mixup(alpha=0.2) | cutmix()', partners='fresh') | "
        "randaugment(num_ops=2, magnitude=5, contrast='as_published') | normalise()")


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  cells_lib.parse_cell(cell, {})
  config = schema.get_default()
  config.multiplicity = 2
  config.unique = 8
  config.budget = '6 updates'
  config.data = ml_collections.ConfigDict({'name': 'stream', 'set': 'photographs', 'augment': _WAY})
  config.data.eval_size = 24
  config.data.lanes = 4
  config.data.window = 24
  config.model = ml_collections.ConfigDict({'name': 'wide_resnet_tiny'})
  config.eval_batch = 4
  config.log_every = '2 updates'
  config.checkpoint.every = '2 updates'
  return config
