"""Small sets of encoded photographs in imagenet2012's form, with a known order."""

import functools
import io

import numpy as np
from PIL import Image

from nfnets_am.data import tensorflow
from nfnets_am.data.stream import order as stream_order
from nfnets_am.data.tools import tfds_writer
from tests.data import photographs

CLASSES = 10
# Of the training shards of the set that the fixtures `stored` and `opened` give.
LENGTHS = (13, 0, 29, 1, 20)
# The same of the fixture `many`.
MANY = (67, 0, 129, 1, 103)


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


def plan(**changes) -> stream_order.StreamPlan:
  """An order of the images of `opened`."""
  return stream_order.StreamPlan(**({
      'examples': sum(LENGTHS), 'unique': 8, 'multiplicity': 2, 'neighbouring': False,
      'shuffle_seed': 0, 'layout': 'image_major', 'lengths': LENGTHS, 'lanes': 4, 'window': 24}
      | changes))


def numbers(dataset) -> list[list[int]]:
  """Which of `examples` the records of each update are, by their file_name."""
  parse = tensorflow.import_tensorflow().train.Example.FromString
  name = lambda record: parse(record).features.feature['file_name'].bytes_list.value[0]
  return [[int(name(record).split(b'.')[0]) for record in update]
          for update in dataset.as_numpy_iterator()]
