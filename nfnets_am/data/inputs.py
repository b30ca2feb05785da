"""What a run reads: a small set in memory, or encoded images streamed from shards; one interface.

`data.crop` decides: 0 keeps the set in memory as it is, a number of pixels streams and crops.
"""

from collections.abc import Iterator
from typing import Any

from absl import logging
import numpy as np

from nfnets_am.core import calls as calls_lib
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import ops
from nfnets_am.data import views
from nfnets_am.data.memory import batches as memory_batches
from nfnets_am.data.memory import sources
from nfnets_am.data.ops import crops
from nfnets_am.data.ops import mixing as mixing_lib
from nfnets_am.data.ops import randaugment as randaugment_lib
from nfnets_am.data.stream import batches as stream_batches
from nfnets_am.data.stream import evaluation as stream_evaluation
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records as records_lib
from nfnets_am.data.stream import visits

# Of the training images of ImageNet, in units of [0, 1]; also for every other streamed set.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class MemoryInput:
  """A set in memory, with small images of one size.

  Attributes:
    name, num_classes, mean, std: of the set.
    splits: split -> images and labels.
    train_images: N.
    image_shape: (H, W, C) of a view.
    pool: the training images uint8 [N, H, W, C] if views are drawn on the device, else None.
    bad: training images that are left out; none.
  """

  bad: tuple[int, ...] = ()

  def __init__(self, config: Any, augmentation: ops.Augmentation):
    """Reads the set; config is the section `data`, read through config.ReadConfig."""
    dataset = sources.load(
        config.name, data_dir=config.data_dir, download=config.download,
        validation=config.validation, train_images=config.train_images, seed=config.seed)
    self.name, self.num_classes, self.mean, self.std, self.splits = (
        dataset.name, dataset.num_classes, dataset.mean, dataset.std, dataset.splits)
    self._augmentation, self._apply = augmentation, config.apply
    images = dataset.splits['train'].image
    self.train_images, self.image_shape = len(images), images.shape[1:]
    self.pool = images if self._apply == 'device' else None

  def plan(self, **kwargs: Any) -> views.ViewPlan:
    """Returns the rows of every update; kwargs as ViewPlan but `examples`."""
    return views.ViewPlan(examples=self.train_images, **kwargs)

  def train_batches(self, plan: views.ViewPlan, augment_seed: int, start: int, stop: int
                    ) -> Iterator[dict[str, Any]]:
    """Yields this host's part of updates start .. stop - 1; see memory_batches.host_batches."""
    return memory_batches.host_batches(
        self.splits['train'], plan, self._augmentation, augment_seed, start, stop,
        apply=self._apply)

  def eval_batches(self, split: str, batch: int, *, host: int, hosts: int
                   ) -> Iterator[dict[str, np.ndarray]]:
    """Yields every image of a split once; see memory_batches.eval_batches."""
    return memory_batches.eval_batches(self.splits[split], batch, host=host, hosts=hosts)


class StreamInput:
  """A set of encoded images in shards, cropped to one size; attributes as MemoryInput.

  Attributes:
    splits: split -> records; 'validation' where images are held out, see `hold_out`.
    recipe: crop, mixing and RandAugment.
    bad: training images that are left out, since their records are bad.
  """

  pool = None
  bad: tuple[int, ...] = ()

  def __init__(self, config: Any, augmentation: ops.Augmentation):
    """Opens the set; config is the section `data`, read through config.ReadConfig."""
    if augmentation.pixel_ops or augmentation.float_ops:
      raise errors.ConfigError(
          f'data.augment={augmentation.text!r} with data.crop={config.crop}; allowed: '
          "'normalise()', since crop, flip, data.mix and data.randaugment come before it")
    self.recipe = make_recipe(config)
    self._method, self._eval_size = config.eval_crop, config.eval_size or config.crop
    crops.EVALUATION[self._method]  # Refuses an unknown name before anything is opened.
    name = config.name.removeprefix('tfds:')
    self.splits = {
        split: records_lib.open_split(
            name, stored, config.data_dir, config.download, cache=config.cache)
        for split, stored in (('train', 'train'), ('test', config.test_split))}
    if config.validation:
      self.splits |= hold_out(self.splits['train'], config.validation)
    train = self.splits['train']
    if config.on_bad_record == 'skip':
      self.bad = records_lib.find_bad(train, config.bad_fraction)
      for example in self.bad:
        logging.warning('left out: %s', records_lib.find_fault(train, np.array([example])))
    self.name, self.num_classes = name, train.num_classes
    self.train_images = train.total - len(self.bad)
    self.mean, self.std = IMAGENET_MEAN, IMAGENET_STD
    self.image_shape = (self.recipe.size, self.recipe.size, 3)
    self._lanes = config.lanes
    self._window = visits.window(train, config.window, config.window_megabytes)

  def plan(self, **kwargs: Any) -> stream_order.StreamPlan:
    """Returns the rows of every update; kwargs as ViewPlan but `examples`.

    Raises:
      errors.ConfigError: the images of an update cannot be shared out over lanes, or lack partners.
    """
    train = self.splits['train']
    plan = stream_order.StreamPlan(
        examples=self.train_images, lengths=train.lengths, bad=self.bad, lanes=self._lanes,
        window=self._window, **kwargs)
    stream_batches.check(train, plan, self.recipe)
    return plan

  def train_batches(self, plan: stream_order.StreamPlan, augment_seed: int, start: int, stop: int
                    ) -> Iterator[dict[str, Any]]:
    """Yields this host's part of updates start .. stop - 1; see stream_batches.host_batches."""
    return stream_batches.host_batches(
        self.splits['train'], plan, self.recipe, augment_seed, start, stop)

  def eval_batches(self, split: str, batch: int, *, host: int, hosts: int
                   ) -> Iterator[dict[str, np.ndarray]]:
    """Yields every image of a split once, at the test resolution; see stream_eval."""
    return stream_evaluation.eval_batches(
        self.splits[split], batch, method=self._method, size=self._eval_size, host=host,
        hosts=hosts)


Input = MemoryInput | StreamInput


def hold_out(train: records_lib.Records, count: int) -> dict[str, records_lib.Records]:
  """Splits off the first images as stored: {'train': the others, 'validation': them}.

  The public code of NFNets holds out the first 10,000 of ImageNet so. TFDS shuffles a set before it
  stores it, so they are a sample of all; they lie in the first shards, so that an evaluation reads
  no others; and they are the same for any seed and any number of hosts.

  Raises:
    errors.ConfigError: so many images leave none to train on.
  """
  if count >= train.total:
    raise errors.ConfigError(
        f'data.validation={count}; allowed: 0 to {train.total - 1}, fewer than the {train.total} '
        'training images')
  return {'train': train.part(count, train.total), 'validation': train.part(0, count)}


def make_recipe(config: Any) -> stream_batches.Recipe:
  """Reads crop, mix, partners and randaugment of the section `data`."""
  mixing, randaugment = None, None
  if config.mix:
    mixing = mixing_lib.Mixing(config.mix, config.partners)
  if config.randaugment:
    calls = calls_lib.calls(config.randaugment)
    if [name for name, _ in calls] != ['randaugment']:
      raise errors.ConfigError(
          f'data.randaugment={config.randaugment!r}; allowed: one call, such as '
          "randaugment(num_ops=4, magnitude=15, contrast='fixed')")
    registry.check_kwargs('randaugment', randaugment_lib.RandAugment, calls[0][1])
    randaugment = randaugment_lib.RandAugment(**calls[0][1])
  return stream_batches.Recipe(size=config.crop, mixing=mixing, randaugment=randaugment)


def open_input(config: Any, augmentation: ops.Augmentation) -> Input:
  """Opens what the section `data` names; errors as sources.load and records.open_split."""
  return (StreamInput if config.crop else MemoryInput)(config, augmentation)
