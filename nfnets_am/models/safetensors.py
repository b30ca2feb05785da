"""Reads safetensors files by the format's own library, which runs nothing that a file holds.

The library holds what a header says of shapes and places against the file's size before any tensor
is made. Its refusals become sentences of ours here, and dtypes become those that weights have.
"""

import os

import numpy as np
import safetensors

# How numpy reads each; it has no bfloat16, which is the upper half of a float32.
_DTYPES = {'F64': '<f8', 'F32': '<f4', 'F16': '<f2', 'BF16': '<u2', 'I64': '<i8', 'I32': '<i4'}
# What the library says, by a part of it, and what it means; of others its own words are told.
_SENTENCES = {
    'header too': 'it is no safetensors file, or cut off in its header',
    'header length': 'it is no safetensors file, or cut off in its header',
    'UTF8': 'it is no safetensors file: its header is no text',
    'JSON': 'it is no safetensors file: its header is no table of tensors',
    'invalid shape': 'a tensor has more or fewer bytes than its shape and dtype need',
    'invalid offset': 'a tensor does not begin where the tensor before it ends',
    'not fully covered': 'it has more or fewer bytes of tensors than its header says',
}
_LENGTH = 8


def begins(path: str | os.PathLike) -> bool:
  """Returns whether a file is meant to be one, by its name or by how it begins."""
  if str(path).endswith('.safetensors'):
    return True
  try:
    with open(path, 'rb') as f:
      return f.read(_LENGTH + 2)[_LENGTH:] == b'{"'
  except OSError:
    return False  # Who reads it says so.


def read(path: str | os.PathLike) -> dict[str, np.ndarray]:
  """Returns the tensors by name: float32, or int64 of whole numbers.

  Raises:
    OSError: the file cannot be read.
    ValueError: it is none, or not whole; the sentence says what.
  """
  with open(path, 'rb') as f:
    data = f.read()
  try:
    entries = safetensors.deserialize(data)
  except safetensors.SafetensorError as e:
    text = str(e)
    raise ValueError(next((ours for theirs, ours in _SENTENCES.items() if theirs in text),
                          ' '.join(text.split())[:200])) from None
  return {name: _array(name, **entry) for name, entry in entries}


def _array(name: str, dtype: str, shape: list[int], data: bytearray) -> np.ndarray:
  if dtype not in _DTYPES:
    raise ValueError(
        f'{repr(name)[:100]} is of dtype {dtype!r}; allowed: {", ".join(_DTYPES)}')
  array = np.frombuffer(data, _DTYPES[dtype]).reshape(shape)
  if dtype == 'BF16':
    return (array.astype(np.uint32) << 16).view(np.float32)
  return array.astype(np.int64 if dtype.startswith('I') else np.float32)
