"""The names of ImageNet's 1,000 classes: how the bundled file is made, and made again.

A class is a noun of WordNet 3.0, known by its place in WordNet's file: n01440764 is the line of
data.noun that begins at byte 1440764. The classes are numbered in the order of these names, as in
TFDS and in all published weights. WordNet is in the Debian package `wordnet-base`:

  apt-get download wordnet-base && dpkg -x wordnet-base_*.deb wordnet
  python -m nfnets_am.data.tools.imagenet_names --source=wordnet/usr/share/wordnet --check

Without --check it writes the file.
"""

import argparse
import importlib.resources
import pathlib

from nfnets_am.core import errors
from nfnets_am.data import class_names


def classes() -> list[str]:
  """Returns TFDS' list of ImageNet's classes, 'n01440764' and on."""
  listed = importlib.resources.files('tensorflow_datasets') / 'datasets/imagenet2012/labels.txt'
  return listed.read_text().split()


def name_of(line: str) -> str:
  """Returns the words of a line of data.noun: 'tench, Tinca tinca'."""
  fields = line.split()
  # Offset, file, part of speech, then the number of words in hexadecimal; each has a number too.
  words = fields[4:4 + 2 * int(fields[3], 16):2]
  return ', '.join(word.replace('_', ' ') for word in words)


def content(source: pathlib.Path) -> str:
  """Returns the file: a class and its words in each line.

  Raises:
    UserError: the folder does not hold WordNet 3.0.
  """
  try:
    nouns = (source / 'data.noun').read_bytes()
  except OSError as e:
    raise errors.UserError(f'{source / "data.noun"} cannot be read: {e.strerror}') from None
  lines = []
  for known in classes():
    place = int(known[1:])
    line = nouns[place:nouns.find(b'\n', place)].decode()
    if not line.startswith(known[1:]):
      raise errors.UserError(f'{source} has no noun {known}; allowed: the folder of WordNet 3.0')
    lines.append(f'{known} {name_of(line)}\n')
  return ''.join(lines)


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('--source', type=pathlib.Path, required=True)
  parser.add_argument('--check', action='store_true')
  known = parser.parse_args()
  made = content(known.source)
  if not known.check:
    class_names.IMAGENET.parent.mkdir(exist_ok=True)
    class_names.IMAGENET.write_text(made)
  elif made != class_names.IMAGENET.read_text():
    raise SystemExit(f'error: {class_names.IMAGENET} is not what {known.source} gives')


if __name__ == '__main__':
  main()
