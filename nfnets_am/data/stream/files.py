"""A split of images that are files of their own: what `records` is for images in shards.

A record is not the image but the way to it: eight digits of its label, then its path. `parse` reads
the file, where images are decoded side by side, so that nothing waits for a block to be read before
the first update, and hosts read their own images alone.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import functools
import io
import os
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data.stream import splits

# Images of a stretch, which a pass goes through in a row; stretches come in a seeded order.
_STRETCH = 64
_DIGITS = 8
# How files begin that TensorFlow decodes: JPEG, PNG, GIF and BMP, whatever they are called.
_MAGIC = (b'\xff\xd8\xff', b'\x89PNG', b'GIF8', b'BM')


@dataclasses.dataclass(frozen=True)
class FileRecords:
  """One split; attributes and methods that are not explained here are as of records.Records.

  Attributes:
    folder: that `files` lie in.
    files: paths below it, in the order that numbers the images.
    labels: of each, 0 to K - 1.
    classes: their names, by label.
    mean_bytes: what a record takes in memory: its path.
  """
  name: str
  split: str
  folder: str
  files: tuple[str, ...]
  labels: tuple[int, ...]
  classes: tuple[str, ...]
  skipped: int = 0
  mean_bytes = 256.0

  @property
  def total(self) -> int:
    return len(self.files)

  @property
  def num_classes(self) -> int:
    return len(self.classes)

  @functools.cached_property
  def lengths(self) -> tuple[int, ...]:
    """Images of each stretch."""
    whole, rest = divmod(self.total, _STRETCH)
    return (_STRETCH,) * whole + ((rest,) if rest else ())

  @property
  def first(self) -> np.ndarray:
    return np.arange(0, self.total, _STRETCH)

  def where(self, example: int) -> tuple[int, int]:
    return divmod(example, _STRETCH)

  def describe(self, example: int) -> str:
    """Names an image by file and number in the split."""
    path = os.path.join(self.folder, self.files[example])
    return f'{path} (image {self.skipped + example} of the split {self.split!r})'

  def part(self, first: int, stop: int) -> 'FileRecords':
    return dataclasses.replace(
        self, files=self.files[first:stop], labels=self.labels[first:stop],
        skipped=self.skipped + first)

  def read(self, shard: Any, first: Any, count: Any) -> Any:
    """Returns a tf.data.Dataset of records first .. first + count - 1 of a stretch; opens no file.
    """
    tf = tensorflow.import_tensorflow()
    start = tf.cast(shard, tf.int64) * _STRETCH + tf.cast(first, tf.int64)
    return tf.data.Dataset.from_tensor_slices(
        self._records[start:start + tf.cast(count, tf.int64)])

  def parse(self, serialized: Any) -> tuple[Any, Any]:
    """Reads the file of a record: bytes that decode_image knows (string), and a label (int64)."""
    tf = tensorflow.import_tensorflow()
    label = tf.strings.to_number(tf.strings.substr(serialized, 0, _DIGITS), tf.int64)
    encoded = tf.io.read_file(tf.strings.join([
        os.path.join(self.folder, ''), tf.strings.substr(serialized, _DIGITS, -1)]))
    return readable(encoded), label

  @functools.cached_property
  def _records(self) -> Any:
    """string [N]: made once, not a constant of each graph."""
    tf = tensorflow.import_tensorflow()
    with tf.init_scope():
      return tf.constant([f'{label:0{_DIGITS}}{file}'.encode() for label, file in
                          zip(self.labels, self.files, strict=True)], tf.string)


def of_classes(name: str, split: str, folder: str, by_class: Mapping[str, Sequence[str]],
               classes: Sequence[str]) -> FileRecords:
  """Returns the images of a split.

  Training images are numbered in an order that their names' hashes make, as TFDS shuffles a set
  before it stores it: the first ones are a sample of all. Others are in the order of their names.

  Args:
    name: of the set.
    split: 'train', 'validation' or 'test'.
    folder: that the files lie in.
    by_class: class -> files below `folder`.
    classes: all there are; a label is a place among them.

  Raises:
    errors.UserError: there are no images.
  """
  pairs = [(file, label) for label, known in enumerate(classes)
           for file in by_class.get(known, ())]
  if not pairs:
    raise errors.UserError(f'the split {split!r} of {name!r} holds no images')
  if split == 'train':
    pairs.sort(key=lambda pair: (splits.rank(0, pair[0]), pair[0]))
  paths, labels = zip(*pairs, strict=True)
  return FileRecords(name, split, folder, paths, labels, tuple(classes))


def readable(encoded: Any) -> Any:
  """Turns what TensorFlow does not decode, such as WebP, into PNG; other bytes stay as they are."""
  tf = tensorflow.import_tensorflow()
  known = tf.reduce_any([tf.strings.substr(encoded, 0, len(magic)) == magic for magic in _MAGIC])

  # A graph of its own, so that what fails is TensorFlow's error wherever it is called.
  @tf.function
  def convert():
    return tf.ensure_shape(tf.numpy_function(_to_png, [encoded], tf.string), [])

  return tf.cond(known, lambda: encoded, convert)


def _to_png(encoded: bytes) -> bytes:
  try:
    from PIL import Image  # Here, since only some sets need it; matplotlib brings it.
    image = Image.open(io.BytesIO(encoded))
    out = io.BytesIO()
    # The first level is a quarter of the time of the default one.
    image.convert('RGB').save(out, 'PNG', compress_level=1)
  # Pillow raises many kinds of errors for bytes that are broken.
  except Exception as e:
    raise ValueError(f'neither a JPEG, a PNG nor a whole WebP ({type(e).__name__})') from None
  return out.getvalue()
