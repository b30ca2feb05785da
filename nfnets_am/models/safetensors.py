"""Reads safetensors files: eight bytes of length, JSON of names, and the tensors' bytes in a row.

Nothing in such a file can be run. What it says of lengths, shapes and places is held against its
size before any tensor is read.
"""

import json
import math
import os
import struct
from typing import Any

import numpy as np

_LENGTH = struct.Struct('<Q')
# More than any header needs; the public reader has the same limit.
_LONGEST = 100_000_000
# How numpy reads each; it has no bfloat16, which is the upper half of a float32.
_DTYPES = {'F64': '<f8', 'F32': '<f4', 'F16': '<f2', 'BF16': '<u2', 'I64': '<i8', 'I32': '<i4'}
_METADATA = '__metadata__'


def begins(path: str | os.PathLike) -> bool:
  """Returns whether a file is meant to be one, by its name or by how it begins."""
  if str(path).endswith('.safetensors'):
    return True
  try:
    with open(path, 'rb') as f:
      return f.read(_LENGTH.size + 2)[_LENGTH.size:] == b'{"'
  except OSError:
    return False  # Who reads it says so.


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
  """Returns the tensors by name: float32, or int64 of whole numbers.

  Raises:
    OSError: the file cannot be read.
    ValueError: it is none, or not whole; the sentence says what.
  """
  with open(path, 'rb') as f:
    size = os.fstat(f.fileno()).st_size
    begin, entries = _header(f, size)
    found = {}
    for name, (dtype, shape, start, stop) in entries.items():
      f.seek(begin + start)
      found[name] = _array(f.read(stop - start), dtype, shape)
  return found


def _header(f: Any, size: int) -> tuple[int, dict[str, tuple[str, tuple[int, ...], int, int]]]:
  """Returns where the tensors begin, and {name: (dtype, shape, start, stop)} as checked."""
  length = f.read(_LENGTH.size)
  count = _LENGTH.unpack(length)[0] if len(length) == _LENGTH.size else size
  begin = _LENGTH.size + count
  if begin > size or count > _LONGEST:
    raise ValueError('it is no safetensors file, or cut off in its header')
  try:
    told = json.loads(f.read(count).decode('utf-8'), object_pairs_hook=_once)
  except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
    raise ValueError('it is no safetensors file: its header is no JSON') from None
  if not isinstance(told, dict):
    raise ValueError('its header is no table of tensors')
  told.pop(_METADATA, None)
  entries = {name: _entry(name, entry) for name, entry in told.items()}
  end = 0
  for name, (_, _, start, stop) in sorted(entries.items(), key=lambda item: item[1][2:]):
    if start != end:
      raise ValueError(f'{_short(name)} does not begin where the tensor before it ends')
    end = stop
  if begin + end != size:
    raise ValueError(f'it has {size - begin} bytes of tensors and says {end}')
  return begin, entries


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  found = dict(pairs)
  if len(found) < len(pairs):
    raise ValueError('its header holds a name twice')
  return found


def _entry(name: str, entry: Any) -> tuple[str, tuple[int, ...], int, int]:
  try:
    dtype, shape, (start, stop) = entry['dtype'], tuple(entry['shape']), entry['data_offsets']
  except (KeyError, TypeError, ValueError):
    raise ValueError(f'its entry {_short(name)} is none of a tensor') from None
  if not isinstance(dtype, str) or dtype not in _DTYPES:
    raise ValueError(f'{_short(name)} is of dtype {_short(dtype)}; allowed: {", ".join(_DTYPES)}')
  if len(shape) > 8 or not all(type(n) is int and n >= 0 for n in (*shape, start, stop)):
    raise ValueError(f'{_short(name)} has a shape or places that no tensor has')
  if stop - start != math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize:
    raise ValueError(f'{_short(name)} has {stop - start} bytes for the shape {shape} of {dtype}')
  return dtype, shape, start, stop


def _array(data: bytes, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
  array = np.frombuffer(data, _DTYPES[dtype]).reshape(shape)
  if dtype == 'BF16':
    return (array.astype(np.uint32) << 16).view(np.float32)
  return array.astype(np.int64 if dtype.startswith('I') else np.float32)


def _short(value: Any) -> str:
  return repr(value)[:100]
