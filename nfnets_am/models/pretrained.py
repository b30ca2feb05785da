"""Weights files in the layout of DeepMind's released NFNets (Brock et al. 2021b).

A file is a pickle, in spite of its name `F0_haiku.npz`, of {module path: {name: array}}, such as
{'NFNet/~/linear': {'w': ..., 'b': ...}}. A pickle may name any function for its reader to call, so
that reading one from a stranger can run the stranger's code. Here the few names that arrays and
dicts need stand for records of our own, which are checked before numpy sees them, and any other
name is refused.
"""

from collections.abc import Mapping
import math
import os
import pathlib
import pickle
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.optim import masks

Params = dict[str, dict[str, np.ndarray]]

_LAYOUT = 'a pickle of {module: {name: array of float16, float32 or float64}}'
# Entries that a sentence names of each kind.
_NAMED = 3


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


class _Pickler(pickle.Pickler):
  """Writes arrays by public names: numpy 1 cannot read the private ones that numpy 2 writes."""

  def reducer_override(self, obj: Any) -> Any:
    if isinstance(obj, np.ndarray):
      return np.ndarray, ((0,),), obj.__reduce__()[2]
    return NotImplemented


def load(path: str | os.PathLike) -> Params:
  """Reads a weights file, without running anything that it says.

  Args:
    path: of a file that DeepMind released, or that `export` wrote.

  Returns:
    {module: {name: float32 array}}.

  Raises:
    UserError: the file is missing, damaged, or holds something else.
  """
  try:
    with open(path, 'rb') as f:
      found = _Unpickler(f).load()
  except OSError as e:
    raise errors.UserError(f'the weights file {path} cannot be read: {e.strerror}') from None
  except Exception as e:  # Damaged bytes raise nearly anything, MemoryError among it.
    raise errors.UserError(
        f'the weights file {path} cannot be read ({_first_line(e)}); allowed: {_LAYOUT}') from None
  if not (_is_dict_of_names(found) and all(map(_is_dict_of_names, found.values()))):
    raise errors.UserError(
        f'the weights file {path} does not hold modules with weights; allowed: {_LAYOUT}')
  params: Params = {}
  for module, weights in found.items():
    params[module] = {}
    for name, stored in weights.items():
      try:
        params[module][name] = _to_array(stored)
      except (TypeError, ValueError) as e:
        raise errors.UserError(
            f'the weights file {path} holds at {module}/{name} {_first_line(e)}; allowed: '
            f'{_LAYOUT}') from None
  return params


def export(params: Mapping[str, Mapping[str, Any]], path: str | os.PathLike) -> None:
  """Writes weights in the released layout, whole or not at all; `pickle.load` reads them too.

  Args:
    params: {module: {name: array}}; written as float32 numpy arrays.
    path: of the file; its folder is made if it is missing.

  Raises:
    UserError: the file cannot be written.
  """
  path = pathlib.Path(path)
  arrays = {module: {name: np.asarray(w, np.float32) for name, w in weights.items()}
            for module, weights in params.items()}
  partial = path.with_name(f'.{path.name}.tmp')
  try:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(partial, 'wb') as f:
      _Pickler(f, protocol=4).dump(arrays)
      f.flush()
      os.fsync(f.fileno())
    os.replace(partial, path)
  except OSError as e:
    if partial.is_file():
      partial.unlink()
    raise errors.UserError(f'the weights file {path} cannot be written: {e.strerror}') from None


def check(params: Mapping[str, Mapping[str, Any]], expected: Mapping[str, Mapping[str, Any]],
          source: str = 'the file') -> None:
  """Refuses weights that are not those of a model.

  Args:
    params: {module: {name: array}}.
    expected: the same of the model; only shapes are read (jax.eval_shape of its init).
    source: what the sentence calls `params`.

  Raises:
    UserError: it counts the missing, extra and differently shaped entries, and names the first.
  """
  found, wanted = _shapes(params), _shapes(expected)
  faults = []
  for what, keys in (('missing', wanted.keys() - found.keys()),
                     ('extra', found.keys() - wanted.keys())):
    if keys:
      faults.append(f'{len(keys)} {what} ({_first(sorted(keys))})')
  differing = sorted(key for key in found.keys() & wanted.keys() if found[key] != wanted[key])
  if differing:
    shapes = [f'{key} {found[key]} instead of {wanted[key]}' for key in differing]
    faults.append(f'{len(differing)} of another shape ({_first(shapes)})')
  if faults:
    raise errors.UserError(
        f'{source} does not fit the model of {len(wanted)} entries: {"; ".join(faults)}')


def adapt(params: Mapping[str, Mapping[str, Any]], fresh: Mapping[str, Mapping[str, Any]],
          source: str = 'the file') -> dict[str, Mapping[str, Any]]:
  """Returns weights to fine-tune from: the given ones, but a new final linear for other classes.

  Args:
    params: {module: {name: array}}, of the same model with any number of classes.
    fresh: newly initialised weights of the model, or their shapes.
    source: what a sentence calls `params`.

  Returns:
    `params`; the final linear is that of `fresh` if the number of classes differs.

  Raises:
    UserError: see `check`.
  """
  chosen = {
      module: fresh[module] if _only_classes_differ(module, weights, fresh) else weights
      for module, weights in params.items()}
  check(chosen, fresh, source)
  return chosen


def _only_classes_differ(module: str, weights: Mapping[str, Any],
                         fresh: Mapping[str, Mapping[str, Any]]) -> bool:
  """Whether a module is the final linear, and its last axis differs and nothing else."""
  if not masks.is_final_linear(module) or weights.keys() != fresh.get(module, {}).keys():
    return False
  pairs = [(w.shape, fresh[module][name].shape) for name, w in weights.items()]
  return all(a[:-1] == b[:-1] for a, b in pairs) and any(a != b for a, b in pairs)


def _is_dict_of_names(found: Any) -> bool:
  return isinstance(found, dict) and bool(found) and all(isinstance(key, str) for key in found)


def _to_array(stored: Any) -> np.ndarray:
  """Makes a float32 array of its record; a ValueError or TypeError says what else it is."""
  if not isinstance(stored, _Array) or stored.parts is None:
    raise ValueError(f'a {type(stored).__name__}')
  shape, dtype, fortran, data = stored.parts
  if not isinstance(dtype, _Dtype) or dtype.code not in ('f2', 'f4', 'f8'):
    raise ValueError(f'an array of dtype {getattr(dtype, "code", dtype)!r}')
  if dtype.order not in ('<', '>', '='):
    raise ValueError(f'an array of byte order {dtype.order!r}')
  dtype = np.dtype(dtype.order + dtype.code)
  if not all(isinstance(size, int) and size >= 0 for size in shape):
    raise ValueError(f'an array of shape {shape}')
  if not isinstance(data, (bytes, bytearray)) or len(data) != math.prod(shape) * dtype.itemsize:
    raise ValueError(f'an array of shape {shape} with more or fewer bytes than that')
  array = np.frombuffer(data, dtype).reshape(shape, order='F' if fortran else 'C')
  return array.astype(np.float32)


def _shapes(params: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[int, ...]]:
  return {f'{module}/{name}': tuple(w.shape)
          for module, weights in params.items() for name, w in weights.items()}


def _first(texts: list[str]) -> str:
  return ', '.join(texts[:_NAMED]) + (', ...' if len(texts) > _NAMED else '')


def _first_line(error: Exception) -> str:
  return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
