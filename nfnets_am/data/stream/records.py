"""A split of encoded images in shards: where every record is, and which one is bad."""

import dataclasses
import functools
import os
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data import tfrecords
from nfnets_am.data.memory import tfds_images
from nfnets_am.data.stream import shards


@dataclasses.dataclass(frozen=True)
class Records:
  """One stored split, opened, or a part of it.

  An image's number ('example') is its position among these images: shard by shard, as stored.

  Attributes:
    name: of the data set.
    split: of it.
    paths: the shards' files.
    lengths: records of each, from the set's metadata.
    num_classes: K.
    mean_bytes: size of a record on average.
    image_key, label_key: the features to read.
    file_format: a name in shards.FORMATS.
    cache: folder of this host that keeps the shards it has read; '' is none.
    starts: records of each shard's file that come before these; () is none.
    skipped: images of the stored split that come before these.
  """
  name: str
  split: str
  paths: tuple[str, ...]
  lengths: tuple[int, ...]
  num_classes: int
  mean_bytes: float
  image_key: str
  label_key: str
  file_format: str
  cache: str = ''
  starts: tuple[int, ...] = ()
  skipped: int = 0

  @property
  def total(self) -> int:
    """N, how many images these are."""
    return sum(self.lengths)

  @functools.cached_property
  def first(self) -> np.ndarray:
    """int64 [shards]: number of the first image of each shard."""
    return np.concatenate([[0], np.cumsum(self.lengths)[:-1]])

  def where(self, example: int) -> tuple[int, int]:
    """Returns shard and index within it of an image."""
    shard = int(np.searchsorted(self.first, example, side='right')) - 1
    # Shards without records share their first number with the next one.
    while self.lengths[shard] == 0:
      shard -= 1
    return shard, int(example - self.first[shard])

  def describe(self, example: int) -> str:
    """Names an image by file, index in it and number in the stored split."""
    shard, index = self.where(example)
    if self.starts:
      index += self.starts[shard]
    return (f'record {index} of shard {os.path.basename(self.paths[shard])} (image '
            f'{self.skipped + example} of the split {self.split!r} of {self.name!r})')

  def part(self, first: int, stop: int) -> 'Records':
    """Returns images first .. stop - 1 alone, which are numbered anew."""
    low, high = (np.clip(x - self.first, 0, self.lengths) for x in (first, stop))
    # Shards outside are left out, so that nothing opens them.
    of = lambda values: tuple(np.asarray(values)[high > low].tolist())
    return dataclasses.replace(
        self, paths=of(self.paths), lengths=of(high - low), skipped=self.skipped + first,
        starts=of(low + (self.starts or 0)))

  def read(self, shard: Any, first: Any, count: Any) -> Any:
    """Returns a tf.data.Dataset of serialized records first .. first + count - 1 of a shard.

    Args:
      shard: its number, Python or tensor; so are the others.
      first: counted from the first of these records in it.
      count: how many.
    """
    tf = tensorflow.import_tensorflow()
    path = tf.gather(self.paths, shard)
    if self.starts:
      first += tf.gather(tf.constant(self.starts, tf.int64), shard)
    if self.cache:
      path = shards.cached(path, self.cache)
    return shards.FORMATS[self.file_format](path, first, count)

  def damage(self, shard: int) -> str | None:
    """Returns what was found to be wrong with a shard's file, or None."""
    path = self.paths[shard]
    return tfrecords.fault(shards.local_copy(path, self.cache) if self.cache else path)

  def parse(self, serialized: Any) -> tuple[Any, Any]:
    """Returns the encoded image (string scalar) and the label (int64 scalar) of a record."""
    tf = tensorflow.import_tensorflow()
    features = tf.io.parse_single_example(serialized, {
        self.image_key: tf.io.FixedLenFeature([], tf.string),
        self.label_key: tf.io.FixedLenFeature([], tf.int64)})
    return features[self.image_key], features[self.label_key]


def open_split(name: str, split: str, data_dir: str = '', download: bool = False, *,
               cache: str = '') -> Records:
  """Opens a split of a prepared TFDS set.

  Args:
    name: TFDS name, such as 'imagenet2012'.
    split: stored split, such as 'train'.
    data_dir: folder or bucket of prepared sets; '' is TFDS' default.
    download: fetch and prepare the set if it is not there.
    cache: folder of this host for the shards that it reads, see shards.cached; '' is none.

  Raises:
    errors.UserError: the set or a shard of it is missing or empty, or it is of another kind, or the
      cache cannot be written.
  """
  tf = tensorflow.import_tensorflow()
  builder = tfds_images.open_builder(name, data_dir, download)
  image_key, label_key = tfds_images.keys(builder)
  tfds_images.prepare(builder, download)
  tfds_images.check_split(builder, split)
  info = builder.info.splits[split]
  file_format = builder.info.file_format.value
  if file_format not in shards.FORMATS:
    raise errors.UserError(
        f'the data set {name!r} in {builder.data_path} is stored as {file_format}; allowed: '
        f'{", ".join(shards.FORMATS)}')
  paths = tuple(map(str, info.filepaths))
  # One listing, and not a question for each of a thousand shards: it may be a bucket.
  folder = os.path.dirname(paths[0])
  present = set(tf.io.gfile.listdir(folder))
  for path in paths:
    if os.path.basename(path) not in present:
      raise errors.UserError(
          f'shard {os.path.basename(path)} of {name!r} is missing from {folder}; its metadata '
          f'names {len(paths)} shards')
  return Records(
      name=name, split=split, paths=paths, lengths=tuple(info.shard_lengths),
      num_classes=builder.info.features[label_key].num_classes,
      mean_bytes=info.num_bytes / max(info.num_examples, 1),
      image_key=image_key, label_key=label_key, file_format=file_format,
      cache=shards.open_cache(cache, paths[0]) if cache else '')


def decode(encoded: Any) -> Any:
  """Decodes a JPEG (also CMYK or grey) or PNG, whatever its name: tf uint8 [H, W, 3]."""
  tf = tensorflow.import_tensorflow()
  image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
  image.set_shape([None, None, 3])
  return image


def find_bad(records: Records, at_most: float) -> tuple[int, ...]:
  """Reads and decodes a whole split once, to find the images that cannot be used.

  It costs about 1 ms of a core per image. What is bad is known before the order of images is made,
  so the order is still a function of the seed, and nothing takes a bad record's place.

  Args:
    records: the split.
    at_most: share of bad records that is accepted, in [0, 1].

  Returns:
    Their numbers, ascending.

  Raises:
    errors.UserError: there are more; the sentence names the first.
  """
  tf = tensorflow.import_tensorflow()

  def usable(index, serialized):
    encoded, label = records.parse(serialized)
    # The sum is what keeps the decoded pixels, and so the decoding, in the graph.
    pixels = tf.reduce_sum(tf.cast(decode(encoded)[:1, :1], tf.int64))
    return index, (pixels >= 0) & (label >= 0) & (label < records.num_classes)

  good = np.zeros(records.total, bool)
  for shard, (first, length) in enumerate(zip(records.first, records.lengths, strict=True)):
    dataset = records.read(shard, 0, length).enumerate()
    dataset = dataset.map(
        tensorflow.as_written(usable), num_parallel_calls=tf.data.AUTOTUNE).ignore_errors()
    for index, is_good in dataset.as_numpy_iterator():
      good[first + index] = is_good
  bad = tuple(np.flatnonzero(~good).tolist())
  if len(bad) > at_most * records.total:
    raise errors.UserError(
        f'{len(bad)} of {records.total} records of the split {records.split!r} of {records.name!r} '
        f'are bad, more than data.bad_fraction={at_most} allows; the first: '
        f'{find_fault(records, np.array(bad[:1]))}')
  return bad


def find_fault(records: Records, examples: np.ndarray) -> str | None:
  """Names the first of these images that cannot be read, or None; slow, for when reading failed."""
  tf = tensorflow.import_tensorflow()
  for example in examples.tolist():
    shard, index = records.where(example)
    try:
      found = list(records.read(shard, index, 1))
    except tf.errors.OpError as e:
      why = records.damage(shard) or tfds_images.first_line(e)
      return f'{records.describe(example)} cannot be read: {why}'
    if not found:
      return (f"{records.describe(example)} is missing: the file ends before it, though the set's "
              'metadata counts it')
    try:
      encoded, label = records.parse(found[0])
      decode(encoded)
    except tf.errors.OpError as e:
      return f'{records.describe(example)} is bad: {tfds_images.first_line(e)}'
    if not 0 <= int(label) < records.num_classes:
      return (f'{records.describe(example)} is bad: its label is {int(label)}, allowed 0 to '
              f'{records.num_classes - 1}')
  return None
