"""Writes a small set in imagenet2012's form, for smoke runs without a network.

    python -m nfnets_am.data.tools.stand_in --data_dir=data --train=512 --test=64

The pictures are collages of the bundled images, or windows of the photographs in a folder
(--photographs=FOLDER) or of those in matplotlib, scikit-image and scikit-learn
(--photographs=packages): JPEGs around 500x375 of varied size and aspect, in several shards. The set
is named imagenet2012 by default, so that an ImageNet config runs on it with
config.data.data_dir=data.
"""

import argparse
from collections.abc import Iterator
import pathlib
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws
from nfnets_am.data import tensorflow
from nfnets_am.data.memory import sources
from nfnets_am.data.memory import tfds_images
from nfnets_am.data.tools import photographs as photographs_lib
from nfnets_am.data.tools import tfds_writer

CLASSES = 1000
# Height and width, least and most; ImageNet's own mean is about 400x470.
_SIDES = (250, 600)
_SUFFIXES = ('.jpg', '.jpeg', '.png')
PACKAGES = 'packages'


def pictures(photographs: str | None, count: int, seed: int) -> Iterator[tuple[np.ndarray, int]]:
  """Yields uint8 [H, W, 3] pictures with labels in [0, CLASSES), H and W in _SIDES.

  Args:
    photographs: a folder of those of which windows are taken, or PACKAGES for those of
      photographs.packaged; None for collages of bundled images.
    count: how many.
    seed: in [0, 2**32); picture i depends on the seed and on i alone.
  """
  draws.check_seed('data', seed)
  make = _Collages() if photographs is None else _Photographs(photographs)
  for i in range(count):
    words = draws.philox((i, np.arange(64), 0, 0), (seed, 0)).reshape(-1)
    low, high = _SIDES
    height, width = (low + draws.integers(words[:2], high - low + 1)).tolist()
    yield make(height, width, words[2:], i)


class _Collages:
  """Bundled images of one class, tinted, as tiles of one picture."""

  def __init__(self):
    self._split = sources.load('fashion_mnist_small').splits['train']

  def __call__(self, height: int, width: int, words: np.ndarray, i: int):
    tf = tensorflow.import_tensorflow()
    rows, cols = 3, 4
    label = int(self._split.label[i % len(self._split.label)])
    members = np.flatnonzero(self._split.label == label)
    tiles = self._split.image[members[draws.integers(words[:rows * cols], len(members))]]
    side = tiles.shape[1]
    grid = tiles.reshape(rows, cols, side, side).swapaxes(1, 2).reshape(rows * side, cols * side)
    tint = draws.uniform(words[rows * cols:][:6]).reshape(2, 3)
    share = grid[..., None] / np.float32(255)
    picture = 255 * (share * tint[0] + (1 - share) * tint[1])
    return tf.cast(tf.image.resize(picture, [height, width]), tf.uint8).numpy(), label


class _Photographs:
  """Windows of photographs; the label is the number of the file."""

  def __init__(self, folder: str):
    tf = tensorflow.import_tensorflow()
    paths = photographs_lib.packaged() if folder == PACKAGES else sorted(
        p for p in pathlib.Path(folder).rglob('*') if p.suffix.lower() in _SUFFIXES)
    if not paths:
      raise errors.UserError(f'{folder} holds no photographs ({", ".join(_SUFFIXES)})')
    self._images = [_decode(tf, path) for path in paths[:CLASSES]]

  def __call__(self, height: int, width: int, words: np.ndarray, i: int):
    tf = tensorflow.import_tensorflow()
    image = self._images[i % len(self._images)]
    # From the whole height or width down to half of it, at the aspect of the picture.
    scale = min(image.shape[0] / height, image.shape[1] / width)
    scale *= 0.5 + 0.5 * float(draws.uniform(words[0]))
    h, w = max(int(height * scale), 1), max(int(width * scale), 1)
    top = int(draws.integers(words[1], image.shape[0] - h + 1))
    left = int(draws.integers(words[2], image.shape[1] - w + 1))
    window = tf.image.resize(image[top:top + h, left:left + w], [height, width], antialias=True)
    return tf.saturate_cast(tf.round(window), tf.uint8).numpy(), i % len(self._images)


def _decode(tf: Any, path: pathlib.Path) -> np.ndarray:
  try:
    return tf.io.decode_image(path.read_bytes(), channels=3, expand_animations=False).numpy()
  except (OSError, tf.errors.OpError) as e:
    raise errors.UserError(f'{path} is no photograph: {tfds_images.first_line(e)}') from e


def write(data_dir: str, *, name: str = 'imagenet2012', train: int = 512, test: int = 64,
          shards: int = 8, photographs: str | None = None, quality: int = 90, seed: int = 0
          ) -> pathlib.Path:
  """Writes the set; see the top of the file.

  Args:
    data_dir: what data.data_dir is to be.
    name: of the set.
    train: pictures in the split 'train'.
    test: pictures in 'validation'.
    shards: files that the training pictures are dealt out to.
    photographs: as for `pictures`.
    quality: of the JPEGs, 1 to 100.
    seed: of sizes and windows.

  Returns:
    The folder of the files.

  Raises:
    errors.UserError: there is such a set already, or no photographs.
  """
  tf = tensorflow.import_tensorflow()
  version = '5.1.0'
  if (pathlib.Path(data_dir) / name / version).exists():
    raise errors.UserError(
        f'{pathlib.Path(data_dir) / name / version} is there already; allowed: a data_dir without '
        'this set, since a stand-in must not lie among real images')
  examples = [
      tfds_writer.Example(
          tf.io.encode_jpeg(picture, quality=quality).numpy(), label, f'stand_in_{i}.JPEG')
      for i, (picture, label) in enumerate(pictures(photographs, train + test, seed))]
  parts = [examples[:train][i::shards] for i in range(shards)]
  return tfds_writer.write(
      data_dir, name, version, CLASSES, {'train': parts, 'validation': [examples[train:]]})


def main(argv: list[str] | None = None) -> None:
  """The command; see the top of the file."""
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('--data_dir', required=True)
  parser.add_argument('--name', default='imagenet2012')
  parser.add_argument('--train', type=int, default=512)
  parser.add_argument('--test', type=int, default=64)
  parser.add_argument('--shards', type=int, default=8)
  parser.add_argument('--photographs', metavar='FOLDER|packages')
  parser.add_argument('--quality', type=int, default=90)
  parser.add_argument('--seed', type=int, default=0)
  args = parser.parse_args(argv)
  try:
    path = write(**vars(args))
  except errors.UserError as e:
    raise SystemExit(f'error: {e}') from e
  print(f'{args.train} training and {args.test} validation pictures in {path}')


if __name__ == '__main__':
  main()
