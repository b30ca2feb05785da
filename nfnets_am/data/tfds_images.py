"""Image classification sets of TensorFlow Datasets, read into memory."""

import os
from typing import Any

import numpy as np

from nfnets_am import errors
from nfnets_am.data import tensorflow

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
  if data_dir and not download and not os.path.isdir(data_dir):
    raise errors.UserError(
        f'data_dir {data_dir!r} is not a folder; allowed: a folder of prepared TFDS sets, or any '
        'path with data.download=True')
  tfds = tensorflow.import_tfds()
  try:
    builder = tfds.builder(name, data_dir=data_dir or None)
  except Exception as e:  # An unknown name, a broken dataset_info.json, no right to read: TFDS has
    # no common class for them.
    raise errors.UserError(f'TFDS cannot open the data set {name!r}: {_first_line(e)}') from e
  image_key, label_key = _keys(tfds, name, builder.info)
  if not builder.info.splits:
    if not download:
      raise errors.UserError(
          f'the data set {name!r} is not prepared in {builder.data_path}; set data.download=True '
          'to fetch it, or data.data_dir to the folder that holds it')
    try:
      builder.download_and_prepare()
    except Exception as e:  # Whatever the set's own code raises.
      raise errors.UserError(f'the data set {name!r} cannot be prepared: {_first_line(e)}') from e
  splits = {split: _read(tfds, builder, stored, image_key, label_key)
            for split, stored in (('train', train), ('test', test))}
  return splits, builder.info.features[label_key].num_classes


def _keys(tfds: Any, name: str, info: Any) -> tuple[str, str]:
  """The names of the image and of the label feature."""
  features = dict(info.features) if isinstance(info.features, tfds.features.FeaturesDict) else {}
  images = [k for k, f in features.items() if isinstance(f, tfds.features.Image)]
  labels = [k for k, f in features.items() if isinstance(f, tfds.features.ClassLabel)]
  keys = info.supervised_keys or (*images, *labels)
  if len(keys) != 2 or keys[0] not in images or keys[1] not in labels:
    raise errors.UserError(
        f'the data set {name!r} is not one of images with a class label: its features are '
        f'{", ".join(f"{k} ({type(f).__name__})" for k, f in features.items())}')
  image = features[keys[0]]
  if None in image.shape or np.dtype(image.np_dtype) != np.uint8:
    raise errors.UserError(
        f'the images of the data set {name!r} have shape {image.shape} and type '
        f'{np.dtype(image.np_dtype)}; allowed: bytes of one fixed shape, since they are kept in '
        'memory as one array')
  return keys


def _read(tfds: Any, builder: Any, split: str, image_key: str, label_key: str) -> Arrays:
  splits = builder.info.splits
  missing = [part for part in split.split('+') if part not in splits]
  if missing:
    raise errors.UserError(
        f'the data set {builder.info.name!r} in {builder.data_path} has no split '
        f'{missing[0]!r}; it has {", ".join(splits)}')
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
        f'the split {split!r} in {builder.data_path} cannot be read: {_first_line(e)}') from e
  if filled != total:
    raise errors.UserError(
        f'the split {split!r} in {builder.data_path} holds {filled} images instead of {total}')
  return image, label


def _first_line(e: Exception) -> str:
  return f'{type(e).__name__}: {e}'.splitlines()[0]
