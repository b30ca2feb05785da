"""The input of a small set that is kept in memory, as it is."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import facts
from nfnets_am.data import hand_over as hand_over_lib
from nfnets_am.data import ops
from nfnets_am.data import orders
from nfnets_am.data import preparation
from nfnets_am.data import views
from nfnets_am.data.memory import batches as memory_batches
from nfnets_am.data.memory import sources


class MemoryInput:
  """A set in memory, with small images of one size.

  Attributes:
    name: of the set.
    facts: see data/facts.py.
    splits: split -> images and labels.
    preparation: the device's end.
    pool: the training images uint8 [N, H, W, C] if views are drawn on the device, else None.
    bad: training images that are left out; none.
  """

  bad: tuple[int, ...] = ()

  def __init__(self, dataset: sources.DataSet, augmentation: ops.Augmentation,
               prepare: preparation.ImagePreparation, *, layout: str, host_group: int):
    self.name, self.splits = dataset.name, dataset.splits
    self.augmentation, self.preparation = augmentation, prepare
    self._layout, self._host_group = layout, host_group
    train = dataset.splits['train']
    self.facts = facts.Facts(
        len(train.image), dataset.num_classes, train.image.shape[1:], prepare.dtype)
    self.pool = train.image if prepare.on_device else None

  def plan(self, order: Any, *, unique: int, **kwargs: Any) -> views.ViewPlan:
    """Returns the rows of every update.

    Args:
      order: (labels, U) -> the order of a pass, an entry of ORDERS with its arguments.
      unique: U.
      **kwargs: multiplicity, neighbouring, shuffle_seed, host and hosts, see ViewPlan.

    Raises:
      ConfigError: the images of an update cannot be shared out, or lack partners.
    """
    labels, mix = self.splits['train'].label, self.augmentation.mix
    shuffled = getattr(order, 'func', order) is orders.shuffled
    if mix and mix.policy.draws_anew and not shuffled:
      raise errors.ConfigError(
          f"partners={mix.partners!r} come in shuffled passes; allowed: order.name='shuffled', or "
          "partners='batch'")
    ordering, partner_ordering = order(labels, unique), None
    if mix and mix.partners == 'pairs':
      ordering, partner_ordering = orders.pairs(labels, unique)
    plan = views.ViewPlan(
        examples=self.facts.train_examples, unique=unique, layout=self._layout,
        host_group=self._host_group, ordering=ordering, partner_ordering=partner_ordering, **kwargs)
    if mix and plan.multiplicity:
      mix.policy.choose(plan, 0, 0)  # Refuses updates without partners.
    return plan

  def train_batches(self, plan: views.ViewPlan, augment_seed: int, start: int, stop: int
                    ) -> Iterator[dict[str, Any]]:
    """Yields this host's part of updates start .. stop - 1; see memory_batches.host_batches."""
    return memory_batches.host_batches(
        self.splits['train'], plan, self.augmentation, augment_seed, start, stop,
        apply='device' if self.preparation.on_device else 'host')

  def eval_batches(self, split: str, batch: int, *, host: int, hosts: int
                   ) -> Iterator[dict[str, np.ndarray]]:
    """Yields every image of a split once; see memory_batches.eval_batches."""
    return memory_batches.eval_batches(self.splits[split], batch, host=host, hosts=hosts)


def create(
    dtype: str, *, set: str = 'fashion_mnist_small', data_dir: str = '', download: bool = False,
    train_images: int = 0, validation: int = 0, seed: int = 0,
    augment: str = 'pad_crop(pad=4) | flip() | normalise()', apply: str = 'host',
    layout: str = 'image_major', host_group: int = 1, hand_over: str = 'uint8',
    double_transpose: bool = False) -> MemoryInput:
  """Reads a set into memory.

  Args:
    dtype: that the model computes in.
    set: a name in sources.SOURCES, or 'tfds:NAME' for any TFDS set with images of one size.
    data_dir: where TFDS finds its prepared sets, '' being its own default folder; of a set in idx
      files, such as 'fashion_mnist_idx', their folder.
    download: whether to fetch and prepare the set if the folder does not hold it.
    train_images: unique training images to use, drawn with `seed`; 0 is all.
    validation: training images held out as 'validation', drawn with `seed`.
    seed: of both draws, in [0, 2**32).
    augment: an image's way, see ops.parse.
    apply: where ops that stand before normalise run: 'host' (TensorFlow) or 'device' (the set lives
      there). Those behind it run on the device.
    layout: 'image_major' or 'view_major', see ViewPlan.
    host_group: neighbouring hosts that read the same images and draw different views.
    hand_over: whether images travel as bytes ('uint8') or normalised ('bfloat16'); host only.
    double_transpose: whether they travel as [H, W, C, B], as a TPU keeps them; host only.

  Raises:
    ConfigError: an unknown name, or a value out of its range.
    UserError: the set is missing, unreadable or not of this kind.
  """
  for key, value in (('train_images', train_images), ('validation', validation)):
    schema.require(value >= 0, f'data.{key}', value, '0 or more')
  schema.require(host_group >= 1, 'data.host_group', host_group, 'a whole number from 1 up')
  for key, value, allowed in (('apply', apply, memory_batches.APPLY),
                              ('layout', layout, views.LAYOUTS)):
    schema.require(value in allowed, f'data.{key}', value, ' or '.join(map(repr, allowed)))
  augmentation = ops.parse(augment)
  if augmentation.crop:
    raise errors.ConfigError(
        f'data.augment={augment!r} has crop(), which a set in memory lacks; allowed: '
        f'{", ".join(name for name in ops.OPS if name != "crop")}')
  dataset = sources.load(set, data_dir=data_dir, download=download, validation=validation,
                         train_images=train_images, seed=seed)
  augmentation = augmentation.bind(dataset.mean, dataset.std)
  augmentation.check(*dataset.splits['train'].image.shape[1:3])
  if apply == 'device':
    for key, value, default in (('hand_over', hand_over, 'uint8'),
                                ('double_transpose', double_transpose, False)):
      schema.require(value == default, f'data.{key}', value,
                     f"{default!r} with data.apply='device', where no image travels")
  way = hand_over_lib.make_hand_over(
      augmentation, hand_over=hand_over, double_transpose=double_transpose, dtype=dtype)
  prepare = preparation.ImagePreparation(
      augmentation, way, dataset.splits['train'].image.shape[1:], dtype,
      start=0 if apply == 'device' else augmentation.at, on_device=apply == 'device')
  return MemoryInput(dataset, augmentation, prepare, layout=layout, host_group=host_group)
