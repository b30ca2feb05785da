"""Image classification sets of TensorFlow Datasets, read into memory."""

import os
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data import tfrecords

Arrays = tuple[np.ndarray, np.ndarray]
_BATCH = 1000


def load(name: str, *, train: str = 'train', test: str = 'test', data_dir: str = '',
         download: bool = False) -> tuple[dict[str, Arrays], int]:
  """Reads the training and the test split of a TFDS set.

  Args:
    name: its TFDS name, with '/CONFIG' where it has several.
    train: the TFDS split to train on, such as 'train+extra'.
    test: the TFDS split to test on.
    data_dir: folder that holds prepared sets; '' is TFDS' default.
    download: fetch and prepare the set if it is not there.

  Returns:
    'train' and 'test' -> (image uint8 [N, H, W, C], label int64 [N]), in stored order; and K.

  Raises:
    errors.UserError: the folder or the set is missing or unreadable, or it holds something else
      than images of one size with one class label each.
  """
  tfds = tensorflow.import_tfds()
  builder = open_builder(name, data_dir, download)
  image_key, label_key = keys(builder)
  image = builder.info.features[image_key]
  if None in image.shape or np.dtype(image.np_dtype) != np.uint8:
    raise errors.UserError(
        f'the images of the data set {name!r} have shape {image.shape} and type '
        f'{np.dtype(image.np_dtype)}; allowed: bytes of one fixed shape, since they are kept in '
        'memory as one array')
  prepare(builder, download)
  splits = {split: _read(tfds, builder, stored, image_key, label_key)
            for split, stored in (('train', train), ('test', test))}
  return splits, builder.info.features[label_key].num_classes


def open_builder(name: str, data_dir: str, download: bool) -> Any:
  """Returns the TFDS builder of a set; arguments and errors as in `load`."""
  if data_dir and not download and '://' not in data_dir and not os.path.isdir(data_dir):
    raise errors.UserError(
        f'data_dir {data_dir!r} is not a folder; allowed: a folder of prepared TFDS sets, or any '
        'path with data.download=True')
  tfds = tensorflow.import_tfds()
  try:
    builder = tfds.builder(name, data_dir=data_dir or None)
  except Exception as e:  # An unknown name, a broken dataset_info.json, no right to read: TFDS has
    # no common class for them.
    raise errors.UserError(f'TFDS cannot open the data set {name!r}: {first_line(e)}') from e
  return builder


def prepare(builder: Any, download: bool) -> None:
  """Fetches and prepares a set that is not there, if `download`, else raises errors.UserError."""
  if builder.info.splits:
    return
  name = builder.info.name
  if builder.MANUAL_DOWNLOAD_INSTRUCTIONS and not download:
    raise errors.UserError(
        f'the data set {name!r} is not prepared in {builder.data_path}, and its files are to be '
        'fetched by hand (docs/data.md); set data.data_dir to the folder that holds it prepared')
  if not download:
    raise errors.UserError(
        f'the data set {name!r} is not prepared in {builder.data_path}; set data.download=True '
        'to fetch it, or data.data_dir to the folder that holds it (docs/data.md)')
  try:
    builder.download_and_prepare()
  except Exception as e:  # Whatever the set's own code raises.
    raise errors.UserError(f'the data set {name!r} cannot be prepared: {first_line(e)}') from e


def keys(builder: Any) -> tuple[str, str]:
  """Returns the names of the image and of the label feature; UserError if there are none."""
  tfds, info = tensorflow.import_tfds(), builder.info
  features = dict(info.features) if isinstance(info.features, tfds.features.FeaturesDict) else {}
  images = [k for k, f in features.items() if isinstance(f, tfds.features.Image)]
  labels = [k for k, f in features.items() if isinstance(f, tfds.features.ClassLabel)]
  found = info.supervised_keys or (*images, *labels)
  if len(found) != 2 or found[0] not in images or found[1] not in labels:
    raise errors.UserError(
        f'the data set {info.name!r} is not one of images with a class label: its features are '
        f'{", ".join(f"{k} ({type(f).__name__})" for k, f in features.items())}')
  return found


def check_split(builder: Any, split: str) -> None:
  """Raises errors.UserError unless a stored split has this name."""
  if split not in builder.info.splits:
    raise errors.UserError(
        f'the data set {builder.info.name!r} in {builder.data_path} has no split '
        f'{split!r}; it has {", ".join(builder.info.splits)}')


def _read(tfds: Any, builder: Any, split: str, image_key: str, label_key: str) -> Arrays:
  splits = builder.info.splits
  for part in split.split('+'):
    check_split(builder, part)
    if builder.info.file_format.value == 'tfrecord':
      _check_lengths(builder, part)
  total = splits[split].num_examples
  image = np.empty((total, *builder.info.features[image_key].shape), np.uint8)
  label = np.empty(total, np.int64)
  filled = 0
  try:
    dataset = builder.as_dataset(
        split=split, shuffle_files=False,
        # One file after the other: the stored order. No cache: the arrays are the cache.
        read_config=tfds.ReadConfig(try_autocache=False, interleave_cycle_length=1),
        decoders=tfds.decode.PartialDecoding({image_key: True, label_key: True}))
    for batch in tfds.as_numpy(dataset.batch(_BATCH)):
      rows = slice(filled, filled + len(batch[label_key]))
      image[rows], label[rows] = batch[image_key], batch[label_key]
      filled = rows.stop
  except Exception as e:  # Truncated or vanished files: errors of TensorFlow, TFDS and the system.
    raise errors.UserError(
        f'the split {split!r} in {builder.data_path} cannot be read: {first_line(e)}') from e
  if filled != total:
    raise errors.UserError(
        f'the split {split!r} in {builder.data_path} holds {filled} images instead of {total}')
  return image, label


def _check_lengths(builder: Any, split: str) -> None:
  """Raises errors.UserError if a record's length does not fit its file, see tfrecords.py."""
  for path in builder.info.splits[split].filepaths:
    fault = tfrecords.check(str(path))
    if fault:
      raise errors.UserError(
          f'the split {split!r} in {builder.data_path} cannot be read: {fault}')


def first_line(e: Exception) -> str:
  """Returns the class and the first line of an error."""
  return f'{type(e).__name__}: {e}'.splitlines()[0]
