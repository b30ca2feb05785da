"""Reads a pickle of arrays without running anything that it says.

A pickle may name any function for its reader to call, so that reading one from a stranger can run
the stranger's code. Here the few names that arrays and dicts need stand for records of our own,
which are checked before numpy sees them, and any other name is refused.
"""

import math
import os
import pickle
from typing import Any

import numpy as np

FLOATS = ('f2', 'f4', 'f8')
COUNTS = ('i4',)


def read(path: str | os.PathLike) -> Any:
  """Returns what a file holds, with records in the places of arrays; see `to_array`.

  Raises:
    OSError: the file cannot be read.
    Exception: nearly any, MemoryError among them: the bytes are damaged or ask for something else.
  """
  with open(path, 'rb') as f:
    return _Unpickler(f).load()


def to_array(stored: Any, codes: tuple[str, ...] = FLOATS) -> np.ndarray:
  """Makes an array of its record.

  Args:
    stored: what `read` found.
    codes: dtypes that are allowed, of FLOATS and COUNTS.

  Returns:
    float32, or int32 for one of COUNTS.

  Raises:
    ValueError, TypeError: it is something else; the sentence says what.
  """
  if not isinstance(stored, _Array) or stored.parts is None:
    raise ValueError(f'a {type(stored).__name__}')
  shape, dtype, fortran, data = stored.parts
  if not isinstance(dtype, _Dtype) or dtype.code not in codes:
    raise ValueError(f'an array of dtype {getattr(dtype, "code", dtype)!r}')
  if dtype.order not in ('<', '>', '='):
    raise ValueError(f'an array of byte order {dtype.order!r}')
  dtype = np.dtype(dtype.order + dtype.code)
  if not all(isinstance(size, int) and size >= 0 for size in shape):
    raise ValueError(f'an array of shape {shape}')
  if not isinstance(data, (bytes, bytearray)) or len(data) != math.prod(shape) * dtype.itemsize:
    raise ValueError(f'an array of shape {shape} with more or fewer bytes than that')
  array = np.frombuffer(data, dtype).reshape(shape, order='F' if fortran else 'C')
  return array.astype(np.int32 if array.dtype.kind == 'i' else np.float32)


class _Dtype:
  """A call of numpy.dtype('f4', ...) with the state (version, byte order, ...)."""

  def __init__(self, code: Any = None, *_: Any):
    self.code, self.order = code, '='

  def __setstate__(self, state: Any):
    self.order = state[1]


class _Array:
  """A call of numpy's _reconstruct(...) with the state (version, shape, dtype, order, bytes)."""

  parts = None  # (shape, dtype, whether in Fortran's order, bytes)

  def __init__(self, *_: Any):
    pass

  def __setstate__(self, state: Any):
    _, *self.parts = state


class _FromBuffer(_Array):
  """A call of numpy's _frombuffer(...), which pickles of protocol 5 hold."""

  def __init__(self, data: Any, dtype: Any, shape: Any, order: Any):
    self.parts = shape, dtype, order == 'F', data


class _Scalar(_Array):
  """A call of numpy's scalar(...)."""

  def __init__(self, dtype: Any, data: Any):
    self.parts = (), dtype, False, data


class _Created(_Array):
  """A call of dill's _create_array(_reconstruct, its arguments, state, attributes)."""

  def __init__(self, function: Any, arguments: Any, state: Any, *_: Any):
    self.__setstate__(state)


class _Attribute:
  """A call of dill's _get_attr(module, name), by which it names numpy's functions."""

  def __new__(cls, module: Any, name: Any):
    return _global(module, name)

  def __setstate__(self, state: Any):
    raise pickle.UnpicklingError('it sets the state of a function')


# What a file may name. Each is a class that the file cannot change: a builtin, or one whose
# __setstate__ takes what the file would set.
_GLOBALS = {
    ('numpy', 'ndarray'): _Array,
    ('numpy', 'dtype'): _Dtype,
    ('collections', 'OrderedDict'): dict,
    # How protocols below 3 write bytes.
    ('_codecs', 'encode'): bytes,
    ('__builtin__', 'bytes'): bytes,
    # dill's own names: a module stands for its name here, nothing is imported.
    ('dill._dill', '_import_module'): str,
    ('dill._dill', '_get_attr'): _Attribute,
    ('dill._dill', '_create_array'): _Created,
}
for _core in ('numpy.core', 'numpy._core'):  # numpy 1 and 2
  for _module in ('multiarray', '_multiarray_umath'):
    _GLOBALS[f'{_core}.{_module}', '_reconstruct'] = _Array
    _GLOBALS[f'{_core}.{_module}', 'scalar'] = _Scalar
  _GLOBALS[f'{_core}.numeric', '_frombuffer'] = _FromBuffer


def _global(module: Any, name: Any) -> Any:
  if (module, name) not in _GLOBALS:
    raise pickle.UnpicklingError(f'it asks for {module}.{name}')
  return _GLOBALS[module, name]


class _Unpickler(pickle.Unpickler):
  """Reads numbers, strings, dicts and records of arrays; calls nothing that the file chooses."""

  def find_class(self, module: str, name: str) -> Any:
    return _global(module, name)
