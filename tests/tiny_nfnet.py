"""NFNets' recipe (Brock et al. 2021b, with SAM) on a tiny net: every switch on, in seconds."""

import ml_collections

from nfnets_am.config import schema


def get_config(cell: str = '') -> ml_collections.ConfigDict:
  del cell
  config = schema.get_default()
  config.multiplicity = 2
  config.unique = 4
  config.budget = '8 updates'
  config.data.train_images = 100
  config.data.augment = 'pad_crop(pad=2) | flip() | normalise()'
  config.data.apply = 'device'
  config.model = ml_collections.ConfigDict({
      'name': 'nfnet_tiny', 'dropout': 0.2, 'stochastic_depth': 0.25, 'remat': True})
  config.objective = ml_collections.ConfigDict({'name': 'cross_entropy', 'label_smoothing': 0.1})
  config.schedule = ml_collections.ConfigDict(
      {'name': 'warmup_cosine', 'peak': 0.1, 'warmup': '2.5 updates'})
  config.optimizer.nesterov = True
  config.optimizer.weight_decay = 2e-5
  config.optimizer.decay_mask = 'no_gain_bias'
  config.clip = ml_collections.ConfigDict({'name': 'agc', 'clip': 0.01})
  config.ascent = ml_collections.ConfigDict({'name': 'sam', 'rho': 0.05, 'fraction': 0.5})
  config.ema = 0.99999
  config.accumulate = 2
  config.dtype = 'bfloat16'
  # A step of the test split: all of it would take most of a run's time.
  config.evals.test.update({'batch': 32, 'most': 1})
  config.log_every = '1 updates'
  return config
