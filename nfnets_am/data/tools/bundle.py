"""The bundled real data set: which images, in which order, and how to rebuild its files.

A class-balanced part of Fashion-MNIST, from the Debian package `dataset-fashion-mnist`:

  apt-get download dataset-fashion-mnist && dpkg -x dataset-fashion-mnist_*.deb fashion
  python -m nfnets_am.data.tools.bundle --source=fashion/usr/share/datasets/fashion-mnist --check

Without --check it writes the files. The images of each class are ranked by a random word
(Philox, key (SEED, 0), counter (position in the original file, class, 0, 0)) and the first 1,200
(train) or 200 (test) are taken. Row r is of class r % 10, so any first part of a split is
class-balanced, too.
"""

import argparse
import hashlib
import lzma
import pathlib

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws
from nfnets_am.data.memory import idx

FOLDER = pathlib.Path(__file__).parents[1] / 'bundled' / 'fashion_mnist_small'
SEED = 0
CLASSES = 10
# split -> (name in the original files, images per class)
SPLITS = {'train': ('train', 1200), 'test': ('t10k', 200)}


def choose(labels: np.ndarray, per_class: int) -> np.ndarray:
  """Returns int [CLASSES * per_class]: positions in the original file, class r % CLASSES at r."""
  positions = np.arange(len(labels))
  word = draws.philox((positions, labels, 0, 0), (SEED, 0))[0]
  chosen = []
  for k in range(CLASSES):
    members = positions[labels == k]
    chosen.append(members[np.argsort(word[members], kind='stable')[:per_class]])
  return np.stack(chosen, axis=1).reshape(-1)


def build(source: pathlib.Path) -> dict[str, bytes]:
  """Returns name -> unpacked content of the files, from the original ones in `source`."""
  files = {}
  for split, (original, per_class) in SPLITS.items():
    images = idx.read(source / f'{original}-images-idx3-ubyte.gz')
    labels = idx.read(source / f'{original}-labels-idx1-ubyte.gz')
    chosen = choose(labels, per_class)
    files[f'{split}-images-idx3-ubyte.xz'] = idx.encode(images[chosen])
    files[f'{split}-labels-idx1-ubyte.xz'] = idx.encode(labels[chosen])
  return files


def pack(content: bytes) -> bytes:
  """xz at its strongest: 5.3 MB for both splits, against 6.2 MB as gzip."""
  return lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)


def differences(files: dict[str, bytes], folder: pathlib.Path) -> list[str]:
  """Compares SHA-256 sums of unpacked contents; one line for each file that differs.

  Packed bytes are not compared: another version of liblzma may pack the same content differently.
  """
  lines = []
  for name, content in files.items():
    try:
      found = hashlib.sha256(lzma.decompress((folder / name).read_bytes())).hexdigest()
    except (OSError, lzma.LZMAError) as e:
      found = f'unreadable ({e})'
    wanted = hashlib.sha256(content).hexdigest()
    if found != wanted:
      lines.append(f'{name}: SHA-256 of the content is {found}, rebuilt {wanted}')
  return lines


def check_or_write(files: dict[str, bytes], folder: pathlib.Path, check: bool) -> None:
  """Writes rebuilt files, packed, or compares them with those that are there; says what it did.

  Args:
    files: path below `folder` -> unpacked content.
    folder: of the bundled files.
    check: whether to compare and write nothing.

  Raises:
    SystemExit: files differ.
  """
  if check:
    lines = differences(files, folder)
    if lines:
      raise SystemExit('error: the bundled files differ from the rebuilt ones\n' + '\n'.join(lines))
    print(f'{len(files)} files in {folder} have the rebuilt content')
    return
  for name, content in files.items():
    packed = pack(content)
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(packed)
    print(f'{name}: {len(content)} bytes, packed {len(packed)}')


def main(argv: list[str] | None = None) -> None:
  """The command; see the top of the file."""
  parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
  parser.add_argument('--source', type=pathlib.Path, required=True,
                      help='folder with the original *-ubyte.gz files')
  parser.add_argument('--check', action='store_true',
                      help='compare with the files that are there, write nothing')
  args = parser.parse_args(argv)
  try:
    files = build(args.source)
  except errors.UserError as e:
    raise SystemExit(f'error: {e}') from e
  check_or_write(files, FOLDER, args.check)


if __name__ == '__main__':
  main()
