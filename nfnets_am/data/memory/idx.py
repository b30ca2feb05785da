"""The IDX format of MNIST and its followers: a short header, then raw bytes."""

import gzip
import lzma
import math
import pathlib

from etils import epath
import numpy as np

from nfnets_am.core import errors

_UINT8 = 8
_OPENERS = {'.gz': gzip.open, '.xz': lzma.open}


def read(path: pathlib.Path | epath.Path) -> np.ndarray:
  """Returns the uint8 array in an IDX file, packed as its suffix (.gz or .xz) says.

  Raises:
    errors.UserError: the file is missing, unreadable, truncated or not IDX with uint8 values.
  """
  try:
    with path.open('rb') as packed, _OPENERS[path.suffix](packed) as f:
      return decode(f.read())
  except (OSError, EOFError, lzma.LZMAError, ValueError) as e:
    raise errors.UserError(f'{path} cannot be read as a packed IDX file of bytes: {e}') from e


def decode(data: bytes) -> np.ndarray:
  """The inverse of `encode`; ValueError if `data` is something else."""
  if len(data) < 4 or data[:3] != bytes([0, 0, _UINT8]):
    raise ValueError('it does not start with the bytes 0 0 8')
  header = 4 + 4 * data[3]
  shape = np.frombuffer(data[:header], '>u4', offset=4).tolist()
  if len(shape) != data[3] or len(data) != header + math.prod(shape):
    raise ValueError(f'its header says {shape}, but {len(data)} bytes follow in all')
  return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def encode(array: np.ndarray) -> bytes:
  """The bytes of a uint8 array: 0 0 8, rank, big-endian sizes, values in C order."""
  sizes = np.array(array.shape, '>u4').tobytes()
  return bytes([0, 0, _UINT8, array.ndim]) + sizes + array.tobytes()
