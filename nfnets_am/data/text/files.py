"""Lines of text files, and where the files of a set lie: here, or bundled with the code."""

import lzma
import os
import pathlib

from etils import epath

from nfnets_am.core import errors

BUNDLED = pathlib.Path(__file__).parents[1] / 'bundled'
FOLDER = 'folder:'
# Sets of text that come with the code: folders of BUNDLED.
BUNDLED_SETS = ('verses', 'verses_en_es')
# As the config and the rest of the project call a split -> as files are called.
SPLITS = {'train': 'train', 'validation': 'valid', 'test': 'test'}


def folder_of(name: str, data_dir: str) -> str | None:
  """Returns the folder of a set: bundled, or of 'folder:PATH'; None for other names.

  Args:
    name: as the config spells it.
    data_dir: where a PATH that is not absolute begins.
  """
  if name in BUNDLED_SETS:
    return os.fspath(BUNDLED / name)
  if name.startswith(FOLDER):
    return os.path.join(data_dir, os.path.expanduser(name.removeprefix(FOLDER)))
  return None


def read_lines(folder: str, name: str, *, blank: bool) -> list[str]:
  """Returns the lines of a file, `name` or packed as `name`.xz, without what ends them.

  Args:
    folder: on a disk or in a bucket.
    name: of the file.
    blank: whether lines without a word are allowed.

  Raises:
    UserError: the file is missing, unreadable, not UTF-8, without a line, or has an empty one where
      none is allowed.
  """
  path = epath.Path(folder) / name
  packed = path.with_name(f'{name}.xz')
  try:
    if not path.exists() and packed.exists():
      path = packed
    data = path.read_bytes()
    if path is packed:
      data = lzma.decompress(data)
  except Exception as e:
    if not isinstance(e, (EOFError, lzma.LZMAError)) and not errors.is_storage(e):
      raise
    raise errors.UserError(
        f'the split of {path} cannot be read: {type(e).__name__}: {e}') from e
  try:
    text = data.decode()
  except UnicodeDecodeError as e:
    line = data[:e.start].count(b'\n') + 1
    raise errors.UserError(
        f'{path} is not UTF-8: byte {data[e.start]:#04x} in line {line}; allowed: text in UTF-8'
    ) from e
  # Of all that splitlines takes for an end of a line, only this is one.
  lines = [line.removesuffix('\r') for line in text.removesuffix('\n').split('\n')]
  if not text.strip():
    raise errors.UserError(f'{path} has no words; allowed: a text')
  if not blank:
    for number, line in enumerate(lines, 1):
      if not line.strip():
        raise errors.UserError(
            f'line {number} of {path} is empty; allowed: a sentence in each line')
  return lines


def suffixes(folder: str, begin: str) -> list[str]:
  """Returns what comes behind `begin` in the names of the files of a folder, sorted, without .xz.

  Raises:
    UserError: there is no such folder, or it cannot be read.
  """
  try:
    names = [path.name.removesuffix('.xz') for path in epath.Path(folder).iterdir()]
  except Exception as e:
    if not errors.is_storage(e):
      raise
    raise errors.UserError(
        f'the folder {folder} cannot be read: {type(e).__name__}: {e}') from e
  return sorted({name.removeprefix(begin) for name in names if name.startswith(begin)})
