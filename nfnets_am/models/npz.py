"""Reads an npz of arrays called MODULE/NAME, in memory like its file's size.

What a zip says of itself is held against the file before anything of it is unpacked, and what an
array says of itself against its member before it is read. Nothing in it is unpickled.
"""

import math
from typing import BinaryIO
import zipfile

import numpy as np

from nfnets_am.models import bounded
from nfnets_am.models import stored_arrays

_SUFFIX = '.npy'
# Of what is unpacked to the file: weights hardly shrink, zeros by a thousand. Small files may.
_MOST_TIMES = 100
_SMALL = 16 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0}


def read(f: BinaryIO) -> dict[str, dict[str, stored_arrays.Array]]:
  """Returns {module: {name: record of an array}}; see stored_arrays.to_array.

  Args:
    f: the file, at its beginning.

  Raises:
    ValueError: it is a zip of another kind, or says more than there is; the sentence says what.
    Exception: of zipfile and numpy: the bytes are damaged.
  """
  file = bounded.Bounded(f)
  found: dict[str, dict[str, stored_arrays.Array]] = {}
  with zipfile.ZipFile(file) as archive:
    members = archive.infolist()
    _check(members, file.size)
    for member in members:
      module, slash, name = member.filename.removesuffix(_SUFFIX).rpartition('/')
      if not (slash and module and name):
        raise ValueError(
            f'it is an npz with the array {member.filename.removesuffix(_SUFFIX)!r}, which names '
            'no module')
      arrays = found.setdefault(module, {})
      if name in arrays:
        raise ValueError(f'it is an npz that holds {module}/{name} twice')
      with archive.open(member) as opened:
        arrays[name] = _array(opened, member)
  return found


def _check(members: list[zipfile.ZipInfo], size: int) -> None:
  """Refuses zips of other things than arrays, and those that say more than they hold."""
  names = [member.filename for member in members]
  if any(name.rpartition('/')[2] == 'data.pkl' for name in names):
    raise ValueError("it is a zip, PyTorch's file of its own objects")
  for member in members:
    if not member.filename.endswith(_SUFFIX):
      raise ValueError(f'it is a zip that holds {member.filename[:100]!r}, and no npz')
    if member.compress_type not in _METHODS or member.flag_bits & 1:
      raise ValueError(f'it is a zip that packs {member.filename[:100]!r} as no npz is packed')
  packed, unpacked = (sum(getattr(member, key) for member in members)
                      for key in ('compress_size', 'file_size'))
  if packed > size:
    raise ValueError(f'it is a zip of {size} bytes whose members have {packed}')
  most = max(_MOST_TIMES * size, _SMALL)
  if unpacked > most:
    raise ValueError(
        f'it is a zip of {size} bytes that unpacks to {unpacked}; allowed: at most {most}')


def _array(opened: BinaryIO, member: zipfile.ZipInfo) -> stored_arrays.Array:
  version = np.lib.format.read_magic(opened)
  if version not in _HEADERS:
    raise ValueError(f'it is an npz whose {member.filename!r} has the version {version}')
  shape, fortran, dtype = _HEADERS[version](opened)
  left = member.file_size - opened.tell()
  if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != left:
    raise ValueError(
        f'it is an npz whose {member.filename!r} has {left} bytes for an array of shape {shape} '
        f'and dtype {dtype}')
  stored = stored_arrays.Dtype(dtype.str[1:])
  stored.order = dtype.str[0]
  return stored_arrays.FromBuffer(opened.read(left), stored, shape, 'F' if fortran else 'C')
