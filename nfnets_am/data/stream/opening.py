"""The splits of a streamed set, by the first word of its name: 'folder:PATH', 'tfds:NAME'."""

from collections.abc import Sequence
import os
from typing import Any

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data.stream import files
from nfnets_am.data.stream import folders
from nfnets_am.data.stream import records
from nfnets_am.data.stream import splits

Records = records.Records | files.FileRecords
Splits = dict[str, Records]


def open_set(name: str, **kwargs: Any) -> Splits:
  """Opens a set.

  Args:
    name: 'folder:PATH', 'tfds:NAME' or a TFDS set's name alone.
    **kwargs: of the openers, as stream/input.py explains them.

  Returns:
    Split -> its images; 'train', 'test', and perhaps 'validation'.

  Raises:
    ConfigError: a key that does not suit such a set.
    UserError: the set is missing, unreadable or not of this kind.
  """
  kind, colon, rest = name.partition(':')
  # TFDS writes a version or a config of a set with a slash, not with a colon.
  return OPENERS[kind](rest, **kwargs) if colon else _open_tfds(name, **kwargs)


def _open_tfds(name: str, *, data_dir: str, download: bool, cache: str, test_split: str, split: str,
               leave_out: Sequence[str]) -> Splits:
  for key, value in (('split', split), ('leave_out', leave_out)):
    if value:
      raise errors.ConfigError(
          f'data.{key}={value!r} with the set {name!r}, which is stored in splits; allowed: with '
          "data.set='folder:PATH'")
  return {key: records.open_split(name, stored, data_dir, download, cache=cache)
          for key, stored in (('train', 'train'), ('test', test_split))}


def _open_folder(path: str, *, data_dir: str, download: bool, cache: str, test_split: str,
                 split: str, leave_out: Sequence[str]) -> Splits:
  del download  # There is nothing to fetch, and it may be said for all sets of a sweep.
  name = f'folder:{path}'
  if cache:
    raise errors.ConfigError(f'data.cache={cache!r} keeps shards; allowed: none with {name!r}')
  if not path:
    raise errors.ConfigError("data.set='folder:' names no folder; allowed: 'folder:PATH'")
  root = os.path.join(data_dir, os.path.expanduser(path))
  inside, _ = folders.subfolders(root)
  if 'train' not in inside:
    found = folders.find(root, leave_out)
    folders.warn([found])
    by_split = splits.split(found.classes, split or splits.DEFAULT)
    return {part: files.of_classes(name, part, root, by_class, tuple(found.classes))
            for part, by_class in by_split.items()}
  if split:
    raise errors.ConfigError(
        f'data.split={split!r}, but {root} has a folder train; allowed: folders of classes alone')
  # Validation images are those to test on only where there are no others.
  tested = [part for part in ('test', test_split, 'val') if part in inside]
  if not tested:
    raise errors.UserError(
        f'{root} has a folder train and none to test on; allowed: a folder test beside it, or '
        'folders of classes alone, which data.split divides')
  stored = {'train': 'train', 'test': tested[0]}
  held_out = [part for part in ('validation', 'val') if part in inside and part != tested[0]]
  if held_out:
    stored['validation'] = held_out[0]
  train = folders.find(os.path.join(root, 'train'), leave_out)
  classes = tuple(train.classes)
  opened = {'train': train}
  for part in stored.keys() - {'train'}:
    opened[part] = folders.find(
        os.path.join(root, stored[part]), leave_out, known=classes)
  folders.warn(list(opened.values()))
  return {part: files.of_classes(name, part, found.path, found.classes, classes)
          for part, found in opened.items()}


OPENERS = registry.Registry('kind of set', {
    'folder': _open_folder,
    'tfds': _open_tfds,
})
