"""Finds images in a folder of class folders: sorted, stable, and with a word for what is no image.

Works on disks and in buckets. What is an image is told by a file's suffix, so that nothing but the
folders is listed; what a file holds is found out when it is read (files.py).
"""

from collections.abc import Sequence
import os
from typing import NamedTuple
import unicodedata

from absl import logging

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import tensorflow

SUFFIXES = ('.jpg', '.jpeg', '.png', '.webp')


class Folder(NamedTuple):
  """What a folder of class folders holds.

  Attributes:
    path: of it.
    classes: class -> its image files, paths below `path`; both sorted, as `order` has it.
    others: paths below `path` of all that is passed over.
  """
  path: str
  classes: dict[str, tuple[str, ...]]
  others: tuple[str, ...]


def order(name: str) -> str:
  """What names are sorted by: the same for a name however a file system writes its accents."""
  return unicodedata.normalize('NFC', name)


def subfolders(path: str) -> tuple[list[str], list[str]]:
  """Returns the names of folders in `path`, without hidden ones, and of all else; both sorted.

  Raises:
    errors.UserError: there is no such folder, or it cannot be read.
  """
  gfile = tensorflow.import_tensorflow().io.gfile
  inside, others = [], []
  for name in _names(path):
    is_class = not name.startswith('.') and gfile.isdir(os.path.join(path, name))
    (inside if is_class else others).append(name)
  return inside, others


def find(path: str, leave_out: Sequence[str] = (), known: Sequence[str] = ()) -> Folder:
  """Lists the class folders in a folder and the images in them.

  Args:
    path: of a folder of class folders.
    leave_out: names of class folders that are passed over, with all that is in them.
    known: where it is not empty, the only classes that there may be; others in `leave_out` need not
      be there.

  Raises:
    errors.UserError: no such folder, no class folders in it, one without images, or one that is not
      known.
    errors.ConfigError: a name in `leave_out` is of no folder.
  """
  names, others = subfolders(path)
  for name in leave_out:
    if not known and order(name) not in map(order, names):
      raise errors.ConfigError(
          f'data.leave_out names {name!r}, which is no folder in {path}'
          f'{registry.did_you_mean(name, names)}')
  dropped = set(map(order, leave_out))
  names = [name for name in names if order(name) not in dropped]
  if not names:
    raise errors.UserError(
        f'{path} holds no class folders; allowed: a folder for each class with its images in it')
  classes = {}
  for name in names:
    if known and order(name) not in known:
      raise errors.UserError(
          f'{os.path.join(path, name)} is of a class that train/ does not have; allowed: '
          f'{len(known)} classes, the first {known[0]!r}')
    files = []
    for file in _names(os.path.join(path, name)):
      is_image = not file.startswith('.') and file.lower().endswith(SUFFIXES)
      (files if is_image else others).append(os.path.join(name, file))
    if not files:
      raise errors.UserError(
          f'the class folder {os.path.join(path, name)} holds no images; allowed: files that end '
          f'with {", ".join(SUFFIXES)}, or to pass the folder over by name in data.leave_out')
    if order(name) in classes:
      raise errors.UserError(
          f'{path} holds two folders of the class {order(name)!r}, which only differ in how their '
          'accents are written; allowed: one')
    classes[order(name)] = tuple(files)
  return Folder(path, classes, tuple(others))


def warn(found: Sequence[Folder]) -> None:
  """Logs once how much was passed over, with the first by name."""
  others = [os.path.join(folder.path, other) for folder in found for other in folder.others]
  if others:
    logging.warning(
        '%d files or folders that are no images are passed over, the first %s', len(others),
        others[0])


def _names(path: str) -> list[str]:
  tf = tensorflow.import_tensorflow()
  try:
    # A bucket ends the names of folders with a slash.
    names = [name.rstrip('/') for name in tf.io.gfile.listdir(path)]
  except tf.errors.OpError as e:
    raise errors.UserError(f'the folder {path} cannot be listed: {type(e).__name__}') from e
  # By the bytes too, for two names that differ in how they are written alone.
  return sorted(names, key=lambda name: (order(name), name))
