"""The config: every key with its default, and what is refused before anything starts.

A config says `multiplicity` (n) and exactly one of `unique` (U: the batch grows with n) and `views`
(B: the batch is fixed). What follows from them is computed in `derived.py` and nowhere else.
"""

import functools
import pickle
from typing import Any

import ml_collections
from ml_collections import config_dict

from nfnets_am.core import durations
from nfnets_am.core import errors

APPLY = ('host', 'device')
ON_BAD_RECORD = ('raise', 'skip')
BACKENDS = ('pmap', 'shard_map')
DTYPES = ('float32', 'bfloat16')
HAND_OVERS = ('uint8', 'bfloat16')
LAYOUTS = ('image_major', 'view_major')
SPLITS = ('train', 'minibatch', 'validation', 'test')


def get_default() -> ml_collections.ConfigDict:
  """Returns the schema with its defaults, locked: an experiment file changes values, adds no key.

  `model`, `schedule` and `loss` name an entry of a registry and carry its arguments; an experiment
  replaces such a section as a whole.
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

  config.data = ml_collections.ConfigDict()
  config.data.name = 'fashion_mnist_small'
  # Where TFDS finds its prepared data sets; '' is its own default folder.
  config.data.data_dir = ''
  config.data.download = False
  # Unique training images to use, drawn with data.seed; 0 is all.
  config.data.train_images = 0
  # Training images held out as 'validation': drawn with data.seed; the first of a streamed set.
  config.data.validation = 0
  config.data.seed = 0
  config.data.augment = 'pad_crop(pad=4) | flip() | normalise()'
  # Side in pixels of the random crops of a set of encoded images, such as 'imagenet2012', which is
  # then streamed and not kept in memory; 0 is a small set in memory. The keys up to
  # window_megabytes are for streamed sets, whose `augment` is 'normalise()'.
  config.data.crop = 0
  # Two-image methods in equal shares, "mixup(alpha=0.2) | cutmix()"; '' is none.
  config.data.mix = ''
  # Partners from the update ('batch') or from as many further unique images ('fresh').
  config.data.partners = 'fresh'
  # Acts on the mixed image: "randaugment(num_ops=4, magnitude=15, contrast='fixed')"; '' is none.
  config.data.randaugment = ''
  # Stored split that is tested on, 'crop_resize' or 'resize_crop_32', and its size; 0 is `crop`.
  config.data.test_split = 'validation'
  config.data.eval_crop = 'resize_crop_32'
  config.data.eval_size = 0
  # Neighbouring hosts that read the same images and draw different views (Hoffer et al. 2020).
  config.data.host_group = 1
  # Parts of a pass that hosts share out: the order and the pairs depend on them, not on the hosts.
  config.data.lanes = 8
  # Images that are shuffled among each other; fewer, if they would take more memory (all hosts).
  config.data.window = 8192
  config.data.window_megabytes = 3000
  # A folder of this host that keeps the shards it has read, such as a local disk for a bucket.
  config.data.cache = ''
  # A bad training record: 'raise' ends the run and names it when it is met; 'skip' looks for all of
  # them at the start (1 ms of a core per image), leaves them out by name, and ends the run if they
  # are more than this share. A bad record of a test split always ends the run.
  config.data.on_bad_record = 'raise'
  config.data.bad_fraction = 0.001
  # Where ops that stand before normalise run: 'host' (tf.data) or 'device' (the set lives there).
  config.data.apply = 'host'
  config.data.layout = 'image_major'
  # Images travel as bytes, or normalised; and as they lie, or as [H, W, C, B], as a TPU keeps them.
  config.data.hand_over = 'uint8'
  config.data.double_transpose = False

  config.model = ml_collections.ConfigDict({'name': 'wide_resnet'})
  # Weights in DeepMind's file layout to start from; the final linear is new if the classes differ.
  config.init_from = ''
  config.loss = ml_collections.ConfigDict({'name': 'cross_entropy'})
  config.schedule = ml_collections.ConfigDict({'name': 'constant', 'peak': 0.1})

  config.optimizer = ml_collections.ConfigDict()
  config.optimizer.momentum = 0.9
  config.optimizer.nesterov = False
  # L2 adds l2 / 2 sum(w^2) to the loss; weight_decay adds weight_decay w to the clipped gradient.
  config.optimizer.l2 = 0.0
  config.optimizer.weight_decay = 0.0
  # Which parameters both act on: 'all', or 'no_gain_bias'.
  config.optimizer.decay_mask = 'all'
  # Adaptive gradient clipping (Brock et al. 2021); 0 is off.
  config.optimizer.agc_clip = 0.0
  config.optimizer.agc_eps = 1e-3

  config.sam = ml_collections.ConfigDict()
  # Radius of the ascent step (Foret et al. 2021); 0 is off.
  config.sam.rho = 0.0
  # One ascent direction for all devices, rather than one for each device.
  config.sam.synchronised = False
  # Share of a device's unique images that the ascent gradient is taken on.
  config.sam.fraction = 1.0

  # Cap of the decay of the parameters' average, min(ema, (1 + t) / (10 + t)); 0 is off.
  config.ema = 0.0
  # Micro-batches that a device's views are cut into, to save memory; the update stays the same.
  config.accumulate = 1
  config.dtype = 'float32'
  config.backend = 'pmap'

  # One seed for everything; each of the four in `seeds` takes its place for its own source.
  config.seed = 0
  config.seeds = ml_collections.ConfigDict()
  for name in ('init', 'shuffle', 'augment', 'noise'):
    config.seeds[name] = config_dict.placeholder(int)

  config.eval = ml_collections.ConfigDict()
  # 'train' is without augmentation (Fort et al. 2021, Figure 2b), 'minibatch' its first eval.batch.
  config.eval.splits = ('test',)
  config.eval.every = '20 percent'
  # Examples in one evaluation step over all devices; rounded up to a multiple of the devices.
  config.eval.batch = 500
  config.log_every = '50 updates'

  config.checkpoint = ml_collections.ConfigDict()
  config.checkpoint.every = '10 percent'
  config.checkpoint.keep = 2
  # A metric such as 'test/top1' or 'test/ema_top1', whose best checkpoint is kept too; '' for none.
  config.checkpoint.best = ''
  config.tensorboard = False
  return pickle.dumps(config.lock())


def validate(config: ml_collections.ConfigDict) -> None:
  """Refuses what is wrong whatever the data and the devices are.

  Raises:
    ConfigError: one sentence with the key, its value and what is allowed.
  """
  n = config.multiplicity
  _require(n >= 0, config, 'multiplicity', 'a whole number from 0 (no augmentation) up')
  for key in ('unique', 'views'):
    _require(config[key] >= 0, config, key, 'a whole number from 1 up, or 0 for not said')
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

  for key, allowed in (('data.apply', APPLY), ('data.on_bad_record', ON_BAD_RECORD),
                       ('data.hand_over', HAND_OVERS), ('data.layout', LAYOUTS), ('dtype', DTYPES),
                       ('backend', BACKENDS)):
    _require(_get(config, key) in allowed, config, key, ' or '.join(map(repr, allowed)))
  for key in ('budget', 'eval.every', 'log_every', 'checkpoint.every'):
    amount, _ = durations.parse(key, _get(config, key))
    _require(amount > 0, config, key, 'more than nothing')
  for key in ('data.crop', 'data.eval_size', 'data.train_images', 'data.validation', 'optimizer.l2',
              'optimizer.weight_decay', 'optimizer.agc_clip', 'sam.rho'):
    _require(_get(config, key) >= 0, config, key, '0 or more')
  for key in ('accumulate', 'eval.batch', 'checkpoint.keep', 'data.host_group', 'data.lanes',
              'data.window', 'data.window_megabytes'):
    _require(_get(config, key) >= 1, config, key, 'a whole number from 1 up')
  for key in ('ema', 'optimizer.momentum'):
    _require(0 <= _get(config, key) < 1, config, key, 'from 0 (off) to below 1')
  _require(0 < config.sam.fraction <= 1, config, 'sam.fraction', 'more than 0, at most 1')
  for split in config.eval.splits:
    if split not in SPLITS:
      raise errors.ConfigError(f'eval.splits holds {split!r}; allowed: {", ".join(SPLITS)}')
  if 'validation' in config.eval.splits and not config.data.validation:
    raise errors.ConfigError("eval.splits holds 'validation', but data.validation is 0")
  best = config.checkpoint.best
  if best and best.split('/')[0] not in config.eval.splits:
    raise errors.ConfigError(
        f'checkpoint.best={best!r} names a split that is not evaluated; eval.splits holds '
        f'{", ".join(config.eval.splits)}')


def _get(config: ml_collections.ConfigDict, dotted: str) -> Any:
  for key in dotted.split('.'):
    config = config[key]
  return config


def _require(condition: bool, config: ml_collections.ConfigDict, key: str, allowed: str) -> None:
  if not condition:
    raise errors.ConfigError(f'{key}={_get(config, key)!r}; allowed: {allowed}')
