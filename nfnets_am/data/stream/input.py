"""The input of a set of encoded images in shards: decoded once a visit, cropped to one size."""

from collections.abc import Iterator
from typing import Any

from absl import logging
import numpy as np

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import facts
from nfnets_am.data import hand_over as hand_over_lib
from nfnets_am.data import ops
from nfnets_am.data import orders
from nfnets_am.data import preparation
from nfnets_am.data import views
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import batches as stream_batches
from nfnets_am.data.stream import evaluation as stream_evaluation
from nfnets_am.data.stream import opening
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.stream import records as records_lib
from nfnets_am.data.stream import visits

# Of the training images of ImageNet, in units of [0, 1]; also for every other streamed set.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
ON_BAD_RECORD = ('raise', 'skip')
APPLY = ('host', 'device')
# A host has the images of its own lanes alone.
PARTNERS = ('batch', 'fresh')


class StreamInput:
  """A set of encoded images in shards; attributes as MemoryInput.

  Attributes:
    splits: split -> records; 'validation' where images are held out, see `hold_out`.
    bad: training images that are left out, since their records are bad.
  """

  pool = None

  def __init__(self, name: str, splits: dict[str, records_lib.Records],
               prepare: preparation.ImagePreparation, *, bad: tuple[int, ...], lanes: int,
               window: int, layout: str, host_group: int, method: str, eval_size: int):
    self.name, self.splits, self.preparation = name, splits, prepare
    self.augmentation, self.bad = prepare.augmentation, bad
    self._lanes, self._window, self._layout, self._host_group = lanes, window, layout, host_group
    self._method, self._eval_size = method, eval_size
    train = splits['train']
    self.facts = facts.Facts(
        train.total - len(bad), train.num_classes, prepare.image_shape, prepare.dtype)

  def plan(self, order: Any, **kwargs: Any) -> stream_order.StreamPlan:
    """Returns the rows of every update; arguments as of MemoryInput.plan.

    Raises:
      ConfigError: another order than shuffled passes, or the images of an update cannot be shared
        out over lanes, or lack partners.
    """
    if getattr(order, 'func', order) is not orders.shuffled:
      raise errors.ConfigError(
          "a streamed set is read in its own shuffled order; allowed: order.name='shuffled'")
    train = self.splits['train']
    plan = stream_order.StreamPlan(
        examples=self.facts.train_examples, lengths=train.lengths, bad=self.bad, lanes=self._lanes,
        window=self._window, layout=self._layout, host_group=self._host_group, **kwargs)
    stream_batches.check(plan, self.augmentation)
    return plan

  def train_batches(self, plan: stream_order.StreamPlan, augment_seed: int, start: int, stop: int
                    ) -> Iterator[dict[str, Any]]:
    """Yields this host's part of updates start .. stop - 1; see stream_batches.host_batches."""
    return stream_batches.host_batches(
        self.splits['train'], plan, self.augmentation, self.preparation.start, augment_seed, start,
        stop)

  def eval_batches(self, split: str, batch: int, *, host: int, hosts: int
                   ) -> Iterator[dict[str, np.ndarray]]:
    """Yields every image of a split once, at the test resolution; see stream/evaluation.py."""
    return stream_evaluation.eval_batches(
        self.splits[split], batch, method=self._method, size=self._eval_size, host=host,
        hosts=hosts)

  def eval_crops(self, split: str, batch: int, *, count: int, seed: int, host: int, hosts: int
                 ) -> Iterator[dict[str, np.ndarray]]:
    """Yields every image of a split once, in views as training cuts them; see crop_batches."""
    return stream_evaluation.crop_batches(
        self.splits[split], batch, way=self.augmentation, count=count, seed=seed, host=host,
        hosts=hosts)


def create(
    dtype: str, *, set: str = 'imagenet2012', data_dir: str = '', download: bool = False,
    validation: int = 0, augment: str = 'crop(224) | flip() | normalise()', apply: str = 'host',
    test_split: str = 'validation', split: str = '', leave_out: tuple[str, ...] = (),
    eval_crop: str = 'resize_crop_32',
    eval_size: int = 0, lanes: int = 8, window: int = 8192, window_megabytes: int = 3000,
    cache: str = '', on_bad_record: str = 'raise', bad_fraction: float = 0.001,
    layout: str = 'image_major', host_group: int = 1, hand_over: str = 'uint8',
    double_transpose: bool = False) -> StreamInput:
  """Opens a set of encoded images.

  Args:
    dtype: that the model computes in.
    set: the name of a TFDS set, or 'folder:PATH' for a folder of images (docs/own_images.md).
    data_dir: where TFDS finds its prepared sets, '' is its own default folder; and where a PATH
      that is not absolute begins.
    download: whether to fetch and prepare the set if the folder does not hold it.
    validation: images held out of the training split as 'validation', the first as stored.
    augment: an image's way, see ops.parse; it begins with a crop. `normalise` without numbers takes
      those of ImageNet.
    apply: where ops between the crop, with a flip behind it, and `normalise` run: 'host'
      (TensorFlow) or 'device' (crops travel, a mixed row's two; for hosts with few cores).
    test_split: stored split that is tested on; of a folder, if there is none called test.
    split: of a folder without train/, how each class is divided, see stream/splits.py;
      '' is splits.DEFAULT.
    leave_out: class folders that are passed over.
    eval_crop: a name in crops.EVALUATION.
    eval_size: side in pixels of a test image; 0 is that of a crop.
    lanes: parts of a pass that hosts share out: the order and the pairs depend on them, not on the
      hosts.
    window: images that are shuffled among each other.
    window_megabytes: fewer images, if they would take more memory (over all hosts).
    cache: a folder of this host that keeps the shards it has read; '' is none.
    on_bad_record: 'raise' ends the run and names a bad training record when it is met; 'skip' looks
      for all of them at the start (1 ms of a core per image), leaves them out by name, and ends the
      run if they are more than `bad_fraction`. A bad record of a test split always ends the run.
    bad_fraction: share of the training records.
    layout, host_group, hand_over, double_transpose: as for sets in memory.

  Raises:
    ConfigError: an unknown name, or a value out of its range.
    UserError: the set is missing, unreadable or not of this kind.
  """
  for key, value in (('lanes', lanes), ('window', window), ('window_megabytes', window_megabytes),
                     ('host_group', host_group)):
    schema.require(value >= 1, f'data.{key}', value, 'a whole number from 1 up')
  for key, value in (('validation', validation), ('eval_size', eval_size)):
    schema.require(value >= 0, f'data.{key}', value, '0 or more')
  for key, value, allowed in (('on_bad_record', on_bad_record, ON_BAD_RECORD),
                              ('layout', layout, views.LAYOUTS), ('apply', apply, APPLY)):
    schema.require(value in allowed, f'data.{key}', value, ' or '.join(map(repr, allowed)))
  crops.EVALUATION[eval_crop]  # Refuses an unknown name before anything is opened.
  augmentation = make_augmentation(augment)
  on_device = apply == 'device'
  if on_device:
    schema.require(hand_over == 'uint8', 'data.hand_over', hand_over,
                   "'uint8' with data.apply='device', where bytes are still to be augmented")
  way = hand_over_lib.make_hand_over(
      augmentation, hand_over=hand_over, double_transpose=double_transpose, dtype=dtype)
  crop = augmentation.crop
  prepare = preparation.ImagePreparation(
      augmentation, way, (crop, crop, 3), dtype,
      start=augmentation.read if on_device else augmentation.at)
  name = set.removeprefix('tfds:')
  splits = opening.open_set(
      set, data_dir=data_dir, download=download, cache=cache, test_split=test_split, split=split,
      leave_out=leave_out)
  if validation:
    schema.require('validation' not in splits, 'data.validation', validation,
                   f'0, since {set!r} has validation images of its own')
    splits |= hold_out(splits['train'], validation)
  bad: tuple[int, ...] = ()
  if on_bad_record == 'skip':
    bad = records_lib.find_bad(splits['train'], bad_fraction)
    for example in bad:
      fault = records_lib.find_fault(splits['train'], np.array([example]))
      logging.warning('left out: %s', fault)
  return StreamInput(
      name, splits, prepare, bad=bad, lanes=lanes,
      window=visits.window(splits['train'], window, window_megabytes), layout=layout,
      host_group=host_group, method=eval_crop, eval_size=eval_size or crop)


def hold_out(train: records_lib.Records, count: int) -> dict[str, records_lib.Records]:
  """Splits off the first images as stored: {'train': the others, 'validation': them}.

  The public code of NFNets holds out the first 10,000 of ImageNet so. TFDS shuffles a set before it
  stores it, so they are a sample of all; they lie in the first shards, so that an evaluation reads
  no others; and they are the same for any seed and any number of hosts.

  Raises:
    ConfigError: so many images leave none to train on.
  """
  if count >= train.total:
    raise errors.ConfigError(
        f'data.validation={count}; allowed: 0 to {train.total - 1}, fewer than the {train.total} '
        'training images')
  return {'train': train.part(count, train.total), 'validation': train.part(0, count)}


def make_augmentation(text: str) -> ops.Augmentation:
  """Returns an image's way, bound to ImageNet's numbers.

  Raises:
    ConfigError: it cannot be read, does not begin with a crop, or asks for partners that a streamed
      set lacks.
  """
  augmentation = ops.parse(text).bind(IMAGENET_MEAN, IMAGENET_STD)
  if augmentation.crop is None:
    raise errors.ConfigError(
        f'data.augment={text!r} for a streamed set, whose images have many sizes; '
        "allowed: a way that begins with a crop, such as 'crop(224) | flip() | normalise()'")
  if augmentation.mix and augmentation.mix.partners not in PARTNERS:
    raise errors.ConfigError(
        f'data.augment={text!r} has partners={augmentation.mix.partners!r}, which a streamed set '
        f'lacks; allowed: {", ".join(map(repr, PARTNERS))}')
  augmentation.check(augmentation.crop, augmentation.crop)
  return augmentation
