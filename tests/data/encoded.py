"""Small sets of encoded photographs in imagenet2012's form, with a known order."""

import functools
import io

import numpy as np
from PIL import Image

from nfnets_am.data import tfds_writer
from tests.data import photographs

CLASSES = 10
# The shards of the set of the fixture `stored`: 300 images, one shard empty and one of one image.
LENGTHS = (67, 0, 129, 1, 103)


def jpeg(image: np.ndarray, quality: int = 90, kind: str = 'JPEG') -> bytes:
  out = io.BytesIO()
  Image.fromarray(image).save(out, kind, quality=quality)
  return out.getvalue()


def examples(count: int) -> list[tfds_writer.Example]:
  """Windows of seven photographs in varied sizes; image i has label i % CLASSES."""
  return list(_examples(count))


@functools.cache
def _examples(count: int) -> tuple[tfds_writer.Example, ...]:
  rng = np.random.default_rng(0)
  made = []
  for i in range(count):
    number = i % photographs.COUNT
    height, width = rng.integers(24, 60, 2)
    zoom = int(rng.integers(1, 6))
    top, left = (int(rng.integers(whole - zoom * side)) for whole, side in zip(
        photographs.whole(number).shape, (height, width), strict=False))
    window = photographs.crop(height, width, top, left, zoom, number)
    made.append(tfds_writer.Example(jpeg(window), i % CLASSES, f'{i}.JPEG'))
  return tuple(made)


def write(folder, lengths: tuple[int, ...], rows: list[tfds_writer.Example] | None = None,
          name: str = 'photographs', validation: int = 7, file_format: str = 'tfrecord'):
  """Writes shards of these lengths; returns the folder of the files."""
  rows = rows or examples(sum(lengths))
  stops = np.cumsum(lengths)
  shards = [rows[stop - length:stop] for stop, length in zip(stops, lengths, strict=True)]
  return tfds_writer.write(folder, name, '5.1.0', CLASSES, {
      'train': shards, 'validation': [rows[:validation]]}, file_format=file_format)
