"""Arrays as files hold them: records of what was stored, which are checked before numpy sees them.

A file may say one thing a thousand times, or put it into itself: nothing here hashes, compares or
prints what it has not found to be a short name or number.
"""

import math
import pickle
from typing import Any

import numpy as np

FLOATS = ('f2', 'f4', 'f8')
COUNTS = ('i4',)
_MOST_AXES = 32
_LONGEST_AXIS = 2**31
_ORDERS = ('<', '>', '=')


def to_array(stored: Any, codes: tuple[str, ...] = FLOATS) -> np.ndarray:
  """Makes an array of its record, once: who asks again gets the same one.

  Args:
    stored: what a file holds in the place of an array.
    codes: dtypes that are allowed, of FLOATS and COUNTS.

  Returns:
    float32, or int32 for one of COUNTS.

  Raises:
    ValueError: it is something else; the sentence says what.
  """
  if not isinstance(stored, Array) or stored.parts is None:
    raise ValueError(f'a {type(stored).__name__}')
  shape, dtype, fortran, data = stored.parts
  if not isinstance(dtype, Dtype) or dtype.code not in codes:
    raise ValueError(f'an array of dtype {_told(getattr(dtype, "code", dtype))}')
  if dtype.order not in _ORDERS:
    raise ValueError(f'an array of byte order {_told(dtype.order)}')
  dtype = np.dtype(dtype.order + dtype.code)
  if not isinstance(shape, tuple) or len(shape) > _MOST_AXES or not all(
      isinstance(size, int) and 0 <= size < _LONGEST_AXIS for size in shape):
    raise ValueError('an array of a shape that none has')
  if not isinstance(data, (bytes, bytearray)) or len(data) != math.prod(shape) * dtype.itemsize:
    raise ValueError(f'an array of shape {shape} with more or fewer bytes than that')
  if stored.made is None:
    array = np.frombuffer(data, dtype).reshape(shape, order='F' if fortran else 'C')
    stored.made = array.astype(np.int32 if array.dtype.kind == 'i' else np.float32)
  return stored.made


def size_of(made: Any) -> int:
  """Returns the bytes of what a call has made: of an array's data, if it is there, or of bytes."""
  data = made.parts[3] if isinstance(made, Array) and made.parts else made
  return len(data) if isinstance(data, (bytes, bytearray)) else 0


def _told(value: Any) -> str:
  """Returns a short string or number as it is, else the name of its type."""
  short = isinstance(value, str) and len(value) < 100
  return repr(value) if short or value is None else f'a {type(value).__name__}'


class Record:
  """What stands for an object of numpy's."""

  def set_state(self, state: Any) -> None:
    """Takes what a file says of it beyond the arguments of its call."""
    raise pickle.UnpicklingError('it sets the state of what has none')


class Dtype(Record):
  """A call of numpy.dtype('f4', ...) with the state (version, byte order, ...)."""

  def __init__(self, code: Any = None, *_: Any):
    self.code, self.order = _name(code), '='

  def set_state(self, state: Any) -> None:
    if not isinstance(state, tuple) or len(state) < 2:
      raise pickle.UnpicklingError('it gives a dtype another state than numpy does')
    self.order = _name(state[1])


class Array(Record):
  """A call of numpy's _reconstruct(...) with the state (version, shape, dtype, order, bytes).

  Attributes:
    parts: (shape, dtype, whether in Fortran's order, bytes), None before there is a state.
    made: the array, once somebody asked for it.
  """

  parts: Any = None
  made: np.ndarray | None = None

  def __init__(self, *_: Any):
    pass

  def set_state(self, state: Any) -> None:
    if not isinstance(state, tuple) or len(state) != 5:
      raise pickle.UnpicklingError('it gives an array another state than numpy does')
    self.parts, self.made = state[1:], None


class FromBuffer(Array):
  """A call of numpy's _frombuffer(...), which pickles of protocol 5 hold."""

  def __init__(self, data: Any, dtype: Any, shape: Any, order: Any):
    self.parts = shape, dtype, _name(order) == 'F', data


class _Scalar(Array):
  """A call of numpy's scalar(...)."""

  def __init__(self, dtype: Any, data: Any):
    self.parts = (), dtype, False, data


class _Created(Array):
  """A call of dill's _create_array(_reconstruct, its arguments, state, attributes)."""

  def __init__(self, function: Any, arguments: Any, state: Any, *_: Any):
    self.set_state(state)


class _Attribute:
  """A call of dill's _get_attr(module, name), by which it names numpy's functions."""

  def __new__(cls, module: Any, name: Any):
    return find(module, name)


class _Module:
  """A call of dill's _import_module(name): its name stands for it, nothing is imported."""

  def __new__(cls, name: Any):
    return _name(name)


class _Bytes:
  """A call of _codecs.encode(text, 'latin1'), by which protocols below 3 write bytes; or none."""

  def __new__(cls, text: Any = '', encoding: Any = 'latin1'):
    if not isinstance(text, str) or _name(encoding) != 'latin1':
      raise pickle.UnpicklingError('it makes bytes of something else than text of latin1')
    return text.encode('latin1')


class _Dict:
  """A call of collections.OrderedDict(); what it holds comes later."""

  def __new__(cls):
    return {}


# What a file may name. Each is a class that a file cannot change.
GLOBALS = {
    ('numpy', 'ndarray'): Array,
    ('numpy', 'dtype'): Dtype,
    ('collections', 'OrderedDict'): _Dict,
    ('_codecs', 'encode'): _Bytes,
    ('__builtin__', 'bytes'): _Bytes,
    ('dill._dill', '_import_module'): _Module,
    ('dill._dill', '_get_attr'): _Attribute,
    ('dill._dill', '_create_array'): _Created,
}
for _core in ('numpy.core', 'numpy._core'):  # numpy 1 and 2
  for _module in ('multiarray', '_multiarray_umath'):
    GLOBALS[f'{_core}.{_module}', '_reconstruct'] = Array
    GLOBALS[f'{_core}.{_module}', 'scalar'] = _Scalar
  GLOBALS[f'{_core}.numeric', '_frombuffer'] = FromBuffer


def find(module: Any, name: Any) -> type:
  """Returns what a name stands for; raises UnpicklingError with the name if nothing does."""
  key = _name(module), _name(name)
  if key not in GLOBALS:
    raise pickle.UnpicklingError(f'it asks for {key[0]}.{key[1]}')
  return GLOBALS[key]


def _name(value: Any) -> str | None:
  """Returns a string, or None, of a place where there should be one."""
  if value is not None and not isinstance(value, str):
    raise pickle.UnpicklingError(f'it holds a {type(value).__name__} in the place of a name')
  return value
