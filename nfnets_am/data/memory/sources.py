"""Data sets that fit in memory, by name."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools
import pathlib
from typing import Any
from typing import NamedTuple
import zlib

from etils import epath
import numpy as np

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import draws
from nfnets_am.data.memory import idx
from nfnets_am.data.memory import tfds_images

_BUNDLED = pathlib.Path(__file__).parents[1] / 'bundled'
_TFDS = 'tfds:'


class Split(NamedTuple):
  """The images of a split, in the order in which they are stored."""
  image: np.ndarray  # uint8 [N, H, W, C]
  label: np.ndarray  # int32 [N], in [0, K)


@dataclasses.dataclass(frozen=True)
class DataSet:
  """A data set in memory.

  Attributes:
    name: as the config spells it.
    num_classes: K.
    mean: C floats in [0, 1], what `normalise` subtracts.
    std: C floats in [0, 1], what it divides by.
    splits: 'train', 'test', and 'validation' where one was asked for.
  """
  name: str
  num_classes: int
  mean: tuple[float, ...]
  std: tuple[float, ...]
  splits: Mapping[str, Split]


# To unpack is the half of what opening a set of 9 MB takes; nobody can write to what is returned.
_read = functools.cache(idx.read)


def _bundled(folder: str, num_classes: int, *, data_dir: str, download: bool):
  del data_dir, download  # It is here already.
  splits = {
      split: (_read(_BUNDLED / folder / f'{split}-images-idx3-ubyte.xz')[..., None],
              _read(_BUNDLED / folder / f'{split}-labels-idx1-ubyte.xz'))
      for split in ('train', 'test')}
  return splits, num_classes


def _idx(default: str, package: str, num_classes: int, *, data_dir: str, download: bool):
  """The four files of MNIST and its followers; '' is the folder of a Debian package."""
  del download  # A package is the system's to install.
  folder = epath.Path(data_dir or default)
  if not folder.is_dir():
    raise errors.UserError(
        f'there is no folder {folder}; allowed: data.data_dir with the folder of the four files '
        f"'train-images-idx3-ubyte.gz' and so on, which Debian's package {package} puts into "
        f'{default}')
  splits = {}
  for split, stored in (('train', 'train'), ('test', 't10k')):
    image = idx.read(folder / f'{stored}-images-idx3-ubyte.gz')
    label = idx.read(folder / f'{stored}-labels-idx1-ubyte.gz')
    if image.ndim != 3 or label.shape != image.shape[:1]:
      raise errors.UserError(
          f'{folder}: the {stored} images have shape {image.shape} and their labels {label.shape}; '
          'allowed: (N, H, W) and (N,)')
    splits[split] = image[..., None], label
  return splits, num_classes


_tfds = lambda *args, **kwargs: functools.partial(tfds_images.load, *args, **kwargs)

# A line reads a set: (data_dir, download) -> ({split: (image, label)}, K).
SOURCES = registry.Registry('data set', {
    'cifar10': _tfds('cifar10'),
    'cifar100': _tfds('cifar100'),
    'fashion_mnist': _tfds('fashion_mnist'),
    'fashion_mnist_idx': functools.partial(
        _idx, '/usr/share/datasets/fashion-mnist', 'dataset-fashion-mnist', 10),
    'fashion_mnist_small': functools.partial(_bundled, 'fashion_mnist_small', 10),
    'mnist': _tfds('mnist'),
    'svhn': _tfds('svhn_cropped', train='train+extra'),
    'svhn_cropped': _tfds('svhn_cropped'),
})

# The CIFAR-10 statistics that jax_privacy uses for CIFAR-10, CIFAR-100 and SVHN. All other sets are
# normalised by the statistics of their own training images.
_CIFAR = ((0.49139968, 0.48215841, 0.44653091), (0.24703223, 0.24348513, 0.26158784))
_MEAN_STD = dict.fromkeys(('cifar10', 'cifar100', 'svhn', 'svhn_cropped'), _CIFAR)


def in_memory(name: str) -> bool:
  """Returns whether `load` knows a name; other sets are of encoded images, and streamed."""
  return name in SOURCES or name.startswith('tfds:')


def is_bundled(name: str) -> bool:
  """Returns whether a set comes with this code, so that it is wherever the code is."""
  return name in SOURCES and getattr(SOURCES[name], 'func', None) is _bundled


def load(name: str, *, data_dir: str = '', download: bool = False, validation: int = 0,
         train_images: int = 0, seed: int = 0) -> DataSet:
  """Reads a data set into memory.

  Args:
    name: a name in SOURCES, or 'tfds:NAME' for any TFDS set with images of one size and a class
      label.
    data_dir: TFDS folder, '' being TFDS' own default; of a set in idx files their folder.
    download: fetch and prepare the set if the folder does not hold it.
    validation: images to carve from the training split; it keeps the others.
    train_images: images of what is left to train on; 0 is all of them.
    seed: chooses both, in [0, 2**32).

  Returns:
    The data set. Its mean and std are those of all training images, also of those left out here.

  Raises:
    errors.ConfigError: unknown name, or more images asked for than there are.
    errors.UserError: the set is missing, unreadable or not of this kind.
  """
  arrays, num_classes = _source(name)(data_dir=data_dir, download=download)
  for split, (_, label) in arrays.items():
    if len(label) and not 0 <= label.min() <= label.max() < num_classes:
      raise errors.UserError(
          f'the split {split!r} of the data set {name!r} has labels from {label.min()} to '
          f'{label.max()}; allowed: 0 to {num_classes - 1}')
  splits = {
      split: Split(image, label.astype(np.int32)) for split, (image, label) in arrays.items()}
  mean, std = _MEAN_STD.get(name) or mean_and_std(splits['train'].image)
  if validation:
    splits |= carve(splits['train'], validation, seed)
  if train_images:
    splits['train'] = _take(splits['train'], train_images, seed)
  return DataSet(name, num_classes, mean, std, splits)


def _source(name: str) -> Callable[..., Any]:
  if name.startswith(_TFDS):
    return _tfds(name.removeprefix(_TFDS))
  try:
    return SOURCES[name]
  except errors.ConfigError as e:
    raise errors.ConfigError(f'{e}, {_TFDS}NAME for a set of TensorFlow Datasets') from e


def mean_and_std(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
  """Per-channel mean and standard deviation of uint8 [N, H, W, C], in units of [0, 1].

  From a histogram: exact, and without a float copy of the images.
  """
  values = np.arange(256) / 255
  means, stds = [], []
  for channel in np.moveaxis(images, -1, 0):
    # Image by image: bincount makes 8-byte integers of its input.
    share = sum(np.bincount(part.reshape(-1), minlength=256) for part in channel) / channel.size
    means.append(float(share @ values))
    stds.append(float(np.sqrt(share @ (values - means[-1])**2)))
  return tuple(means), tuple(stds)


def carve(train: Split, count: int, seed: int) -> dict[str, Split]:
  """Splits off `count` seeded images: {'train': the others, 'validation': them}, order kept."""
  total = len(train.label)
  if not 0 < count < total:
    raise errors.ConfigError(
        f'{count} validation images; allowed: 0 to {total - 1}, fewer than the {total} training '
        'images')
  taken = _choose(total, count, seed, 'validation')
  return {'train': Split(train.image[~taken], train.label[~taken]),
          'validation': Split(train.image[taken], train.label[taken])}


def _take(train: Split, count: int, seed: int) -> Split:
  """Keeps `count` seeded images, order kept."""
  total = len(train.label)
  if not 0 < count <= total:
    raise errors.ConfigError(
        f'data.train_images={count}; allowed: 0 (all) to {total}, the training images there are')
  taken = _choose(total, count, seed, 'train_images')
  return Split(train.image[taken], train.label[taken])


def _choose(total: int, count: int, seed: int, what: str) -> np.ndarray:
  """bool [total] with `count` True; `what` parts the choices that share a seed."""
  draws.check_seed('data', seed)
  word = draws.philox((np.arange(total), 0, 0, 0), (seed, zlib.crc32(what.encode())))[0]
  taken = np.zeros(total, bool)
  taken[np.argsort(word, kind='stable')[:count]] = True
  return taken
