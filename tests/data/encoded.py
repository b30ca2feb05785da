"""A small set of encoded photographs in imagenet2012's form, with a known order."""

import functools
import io

import numpy as np
from PIL import Image

from nfnets_am.data import tfds_writer
from tests.data import photographs

CLASSES = 10


def jpeg(image: np.ndarray, quality: int = 90, kind: str = 'JPEG') -> bytes:
  out = io.BytesIO()
  Image.fromarray(image).save(out, kind, quality=quality)
  return out.getvalue()


def examples(count: int) -> list[tfds_writer.Example]:
  """Windows of a photograph in varied sizes; image i has label i % CLASSES."""
  return list(_examples(count))


@functools.cache
def _examples(count: int) -> tuple[tfds_writer.Example, ...]:
  rng = np.random.default_rng(0)
  made = []
  for i in range(count):
    height, width = rng.integers(24, 60, 2)
    window = photographs.crop(height, width, int(rng.integers(400)), int(rng.integers(350)))
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
