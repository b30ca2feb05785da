"""The config: every key with its default, and what is refused before anything starts.

A config says `multiplicity` (n) and exactly one of `unique` (U: the batch grows with n) and `views`
(B: the batch is fixed). What follows from them is computed in `derived.py` and nowhere else.

A section names an entry of a registry with its key `name`; its other keys are the arguments of that
entry, so that what does not belong together cannot be said together. An experiment says those that
it sets; the others get the entry's defaults where the config is read (`training/sections.py`).
"""

import functools
import math
import pickle
from typing import Any

import ml_collections
from ml_collections import config_dict

from nfnets_am.core import durations
from nfnets_am.core import errors
from nfnets_am.core import quantities

BACKENDS = ('pmap', 'shard_map')
DTYPES = ('float32', 'bfloat16')
SEEDS = ('init', 'shuffle', 'augment', 'noise', 'attack')
# Sections and the entry that they name by default; `evals` is a section of sections.
SECTIONS = {
    'data': 'memory',
    'order': 'shuffled',
    'model': 'wide_resnet',
    'start': 'fresh',
    'objective': 'cross_entropy',
    'ascent': 'none',
    'clip': 'none',
    'optimizer': 'sgd',
    'schedule': 'constant',
}


def get_default() -> ml_collections.ConfigDict:
  """Returns the keys with their defaults; an experiment changes values, and adds keys to sections.

  The registries of the sections: `data` in data/inputs.py (`data.set` is what a set is called),
  `order` in data/orders.py, `model` in models/, `start` in training/starts.py, `objective` in
  objectives/, `ascent`, `clip`, `optimizer` and `schedule` in optim/, `evals` in evaluation/.
  """
  # A copy costs a fifth of making it, and a sweep has thousands.
  return pickle.loads(_pickled_default())


@functools.cache
def _pickled_default() -> bytes:
  config = ml_collections.ConfigDict()

  # n views of each unique image in an update; 0 is the raw image, without augmentation.
  config.multiplicity = 1
  # Exactly one of the two. U: unique images in an update, B = n U grows with n; or B: views in an
  # update, U = B / n falls. 0 is not said.
  config.unique = 0
  config.views = 0
  # With `views`: B unique images with one view each, the same images in n consecutive updates.
  config.neighbouring = False
  config.budget = '1 epochs'

  # Terms on the parameters in the loss: "l2(coefficient=5e-4, mask='all')", see optim/penalties.py.
  config.penalty = ''
  # Cap of the decay of the average of the weights, min(ema, (1 + t) / (10 + t)); 0 is off.
  config.ema = 0.0
  # Micro-batches that a device's views are cut into, to save memory; the update stays the same.
  config.accumulate = 1
  # Whether the norm of the gradient, before clipping and decay, is among the metrics.
  config.gradient_norm = False
  config.dtype = 'float32'
  config.backend = 'pmap'
  # What XLA may take on a GPU (core/kernels.py): 0 is deterministic kernels alone, from 1 up all,
  # and the number tells runs apart that differ by nothing else; -1 leaves it to XLA_FLAGS.
  config.kernels = -1

  # One seed for everything; each of those in `seeds` takes its place for its own source.
  config.seed = 0
  config.seeds = ml_collections.ConfigDict({name: config_dict.placeholder(int) for name in SEEDS})
  # From this pass over the data on (0 is the first), the sources that have a seed here take it.
  config.reseed = ml_collections.ConfigDict({'epoch': 0})
  config.reseed.update({name: config_dict.placeholder(int) for name in SEEDS if name != 'init'})

  # Name of an evaluation -> its entry. Their metrics are 'NAME/top1' and the like.
  config.evals = ml_collections.ConfigDict({'test': {'name': 'accuracy', 'split': 'test'}})
  # For the evaluations that do not say their own.
  config.eval_every = '20 percent'
  # Examples in one evaluation step over all devices; rounded up to a multiple of the devices.
  config.eval_batch = 500
  config.log_every = '50 updates'

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every = '10 percent'
  config.checkpoint.keep = 2
  # A metric such as 'test/top1' or 'test/ema_top1', whose best checkpoint is kept too; '' for none.
  config.checkpoint.best = ''
  # Checkpoints that stay: ('5 epochs', '93 epochs').
  config.checkpoint.at = ()
  # Where metrics go beside metrics.jsonl: ('tensorboard', 'wandb', 'aim'), see storage/sinks/.
  config.sinks = ()
  # What is measured instead of trained, "gradient_variance()", see analysis/; '' trains.
  config.measure = ''

  for section, name in SECTIONS.items():
    config[section] = ml_collections.ConfigDict({'name': name})
  config.lock()
  for section in (*SECTIONS, 'evals'):
    config[section].unlock()
  return pickle.dumps(config)


def validate(config: ml_collections.ConfigDict) -> None:
  """Refuses what is wrong whatever the data and the devices are; sections are checked elsewhere.

  Raises:
    ConfigError: one sentence with the key, its value and what is allowed.
  """
  n = config.multiplicity
  require(n >= 0, 'multiplicity', n, 'a whole number from 0 (no augmentation) up')
  for key in ('unique', 'views'):
    require(config[key] >= 0, key, config[key], 'a whole number from 1 up, or 0 for not said')
  if bool(config.unique) == bool(config.views):
    raise errors.ConfigError(
        f'unique={config.unique} and views={config.views}; allowed: exactly one of the two, unique '
        '(the batch grows with the multiplicity) or views (the batch is fixed)')
  if config.neighbouring and not config.views:
    raise errors.ConfigError('neighbouring=True needs views, not unique: its batch is fixed')
  if n > 1 and config.views % n and not config.neighbouring:
    raise errors.ConfigError(
        f'multiplicity={n} does not divide views={config.views}; allowed: a divisor of it, or '
        f'views={config.views // n * n or n}')
  if config.neighbouring and n < 1:
    raise errors.ConfigError(f'multiplicity={n} with neighbouring=True; allowed: 1 or more')

  for key, allowed in (('dtype', DTYPES), ('backend', BACKENDS)):
    require(config[key] in allowed, key, config[key], ' or '.join(map(repr, allowed)))
  durations_of = {key: config[key] for key in ('budget', 'eval_every', 'log_every')}
  durations_of['checkpoint.every'] = config.checkpoint.every
  durations_of |= {f'checkpoint.at[{i}]': text for i, text in enumerate(config.checkpoint.at)}
  for key, text in durations_of.items():
    require(durations.parse(key, text)[0] > 0, key, text, 'more than nothing')
  for key, value in (('accumulate', config.accumulate), ('eval_batch', config.eval_batch),
                     ('checkpoint.keep', config.checkpoint.keep)):
    require(value >= 1, key, value, 'a whole number from 1 up')
  require(config.kernels >= -1, 'kernels', config.kernels,
          '-1 (what XLA_FLAGS say), 0 (deterministic), or the number of a repeat')
  require(0 <= config.ema < 1, 'ema', config.ema, 'from 0 (off) to below 1')
  require(config.reseed.epoch >= 0, 'reseed.epoch', config.reseed.epoch,
          'the number of a pass over the data, from 0 up')
  best = config.checkpoint.best
  if best:
    quantities.judged(best)
  if best and best.split('/')[0] not in config.evals:
    raise errors.ConfigError(
        f'checkpoint.best={best!r} is of no evaluation; evals holds {", ".join(config.evals)}')


def require(condition: bool, key: str, value: Any, allowed: str) -> None:
  """Raises ConfigError unless a key's value is right; NaN and infinity never are."""
  if not condition or (isinstance(value, float) and not math.isfinite(value)):
    raise errors.ConfigError(f'{key}={value!r}; allowed: {allowed}')
