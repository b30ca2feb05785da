"""What a weights file is, told by its first bytes and not by its name; how each kind is read."""

import os
from typing import Any

from nfnets_am.models import npz
from nfnets_am.models import unpickling

_READERS = {b'PK\x03\x04': npz.read, b'PK\x05\x06': npz.read}
_OTHERS = {
    b'\x93NUMPY': 'a single array of numpy',
    b'\x89HDF\r\n\x1a\n': 'an HDF5 file',
    b'\x1f\x8b': 'packed by gzip',
}
_LONGEST = 16


def read(path: str | os.PathLike) -> Any:
  """Returns what a file holds, with records in the places of arrays; see stored_arrays.to_array.

  Raises:
    OSError: the file cannot be read.
    Exception: nearly any: it is of another kind, which the error says, or its bytes are damaged.
  """
  with open(path, 'rb') as f:
    begin = f.read(_LONGEST)
    f.seek(0)
    for magic, what in _OTHERS.items():
      if begin.startswith(magic):
        raise ValueError(f'it is {what}')
    if begin[8:10] == b'{"':
      raise ValueError('it is a safetensors file')
    reader = next((reader for magic, reader in _READERS.items() if begin.startswith(magic)),
                  unpickling.read)
    return reader(f)
