"""Sizes of known data sets, for plans that are made where the data are not."""

import functools
from typing import Any
from typing import NamedTuple

from nfnets_am.data import ops


class Known(NamedTuple):
  """Facts of a data set."""
  train_images: int
  image_shape: tuple[int, int, int] | None  # (H, W, C); None for a set of encoded images.
  num_classes: int


KNOWN = {
    'caltech_birds2011': Known(5_994, None, 200),
    'cifar10': Known(50_000, (32, 32, 3), 10),
    'cifar100': Known(50_000, (32, 32, 3), 100),
    'fashion_mnist': Known(60_000, (28, 28, 1), 10),
    'fashion_mnist_idx': Known(60_000, (28, 28, 1), 10),
    'fashion_mnist_small': Known(12_000, (28, 28, 1), 10),
    'imagenet2012': Known(1_281_167, None, 1000),
    'mnist': Known(60_000, (28, 28, 1), 10),
    'oxford_flowers102': Known(1_020, None, 102),
    'svhn': Known(604_388, (32, 32, 3), 10),
    'svhn_cropped': Known(73_257, (32, 32, 3), 10),
}


def training_set(data: Any) -> Known | None:
  """Returns the facts of a config's training images.

  Args:
    data: the config's section, complete.

  Returns:
    How many it trains on, (H, W, C) of a view, K; None for a set that is not known.
  """
  facts = KNOWN.get(data.set.removeprefix('tfds:'))
  return facts and Known(
      data.get('train_images') or facts.train_images - data.validation,
      facts.image_shape or (_crop(data.augment),) * 2 + (3,), facts.num_classes)


@functools.cache
def _crop(augment: str) -> int | None:
  return ops.parse(augment).crop
