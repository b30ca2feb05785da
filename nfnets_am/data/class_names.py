"""The names of classes, in the order in which weights know them."""

import os
import pathlib

from nfnets_am.core import errors

# A class of ImageNet and its words in each line; tools/imagenet_names.py makes it.
IMAGENET = pathlib.Path(__file__).parent / 'bundled' / 'imagenet' / 'names.txt'


def imagenet() -> tuple[str, ...]:
  """Returns the names of ImageNet's 1,000 classes by label, 'tench, Tinca tinca' first."""
  return tuple(line.partition(' ')[2] for line in IMAGENET.read_text().splitlines())


def read(path: str | os.PathLike) -> tuple[str, ...]:
  """Returns the names in a text file, one in each line, by label.

  Raises:
    UserError: the file cannot be read, is no text, or holds no names or an empty one.
  """
  try:
    names = tuple(line.strip() for line in pathlib.Path(path).read_text().splitlines())
  except (OSError, UnicodeDecodeError) as e:
    raise errors.UserError(
        f'{path} cannot be read as text: {getattr(e, "strerror", None) or e}') from None
  if not all(names) or not names:
    raise errors.UserError(
        f'{path} has {len(names)} lines, '
        f'{"line " + str(names.index("") + 1) if names else "none"} without a name; allowed: the '
        'name of a class in each')
  return names
