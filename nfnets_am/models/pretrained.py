"""Weights files in the layout of DeepMind's released NFNets (Brock et al. 2021b).

A file is a pickle, in spite of its name `F0_haiku.npz`, of {module path: {name: array}}, such as
{'NFNet/~/linear': {'w': ..., 'b': ...}}. Nothing in it is run (models/unpickling.py). A model that
keeps averages, such as the moving statistics of its norms, has them there too, under the path of
their module with 'averages:' in front; their counts are int32. A file of a model without averages
is of the released layout, byte for byte. An npz of arrays that are called MODULE/NAME is read too,
whatever the file is called (models/npz.py).
"""

from collections.abc import Mapping
from collections.abc import Sequence
import os
import pathlib
import pickle
from typing import Any

import numpy as np

from nfnets_am.core import differences
from nfnets_am.core import errors
from nfnets_am.models import formats
from nfnets_am.models import stored_arrays

# {module: {name: array}}; parameters are float32, averages may have int32 too.
Weights = Mapping[str, Mapping[str, Any]]

_LAYOUT = ('a pickle of {module: {name: array of float16, float32 or float64}}, or an npz of such '
           'arrays called MODULE/NAME')
_AVERAGES = 'averages:'


class _Pickler(pickle.Pickler):
  """Writes arrays by public names: numpy 1 cannot read the private ones that numpy 2 writes."""

  def reducer_override(self, obj: Any) -> Any:
    if isinstance(obj, np.ndarray):
      return np.ndarray, ((0,),), obj.__reduce__()[2]
    return NotImplemented


def load(path: str | os.PathLike) -> tuple[Weights, Weights]:
  """Reads a weights file, without running anything that it says.

  Args:
    path: of a file that DeepMind released, or that `export` wrote.

  Returns:
    The parameters, {module: {name: float32 array}}, and the averages like them, whose counts are
    int32; {} where the file has none.

  Raises:
    UserError: the file is missing, damaged, or holds something else.
  """
  try:
    found = formats.read(path)
  except OSError as e:
    raise errors.UserError(f'the weights file {path} cannot be read: {e.strerror}') from None
  except Exception as e:  # Damaged bytes raise nearly anything, MemoryError among it.
    raise errors.UserError(
        f'the weights file {path} cannot be read ({_first_line(e)}); allowed: {_LAYOUT}') from None
  if not (_is_dict_of_names(found) and all(map(_is_dict_of_names, found.values()))
          # One dict under a thousand names would be as many.
          and len({id(weights) for weights in found.values()}) == len(found)):
    raise errors.UserError(
        f'the weights file {path} does not hold modules with weights; allowed: {_LAYOUT}')
  params: dict[str, dict[str, np.ndarray]] = {}
  averages: dict[str, dict[str, np.ndarray]] = {}
  for module, weights in found.items():
    kind, codes = params, stored_arrays.FLOATS
    if module.startswith(_AVERAGES):
      kind, codes = averages, stored_arrays.FLOATS + stored_arrays.COUNTS
    arrays = kind[module.removeprefix(_AVERAGES)] = {}
    for name, stored in weights.items():
      try:
        arrays[name] = stored_arrays.to_array(stored, codes)
      except (TypeError, ValueError) as e:
        raise errors.UserError(
            f'the weights file {path} holds at {module}/{name} {_first_line(e)}; allowed: '
            f'{_LAYOUT}') from None
  return params, averages


def export(params: Weights, averages: Weights, path: str | os.PathLike) -> None:
  """Writes weights, whole or not at all; `pickle.load` reads them too.

  Args:
    params: {module: {name: array}}; written as float32 numpy arrays.
    averages: the same; integers are written as int32.
    path: of the file; its folder is made if it is missing.

  Raises:
    UserError: the file cannot be written.
  """
  path = pathlib.Path(path)
  arrays = {module: {name: np.asarray(w, np.float32) for name, w in weights.items()}
            for module, weights in params.items()}
  for module, weights in averages.items():
    arrays[_AVERAGES + module] = {
        name: np.asarray(w, np.int32 if _counts(w) else np.float32) for name, w in weights.items()}
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


def check(params: Weights, averages: Weights, expected_params: Weights, expected_averages: Weights,
          source: str = 'the file') -> None:
  """Refuses weights that are not those of a model.

  Args:
    params, averages: {module: {name: array}}.
    expected_params, expected_averages: the same of the model; only shapes and dtypes are read
      (jax.eval_shape of its init).
    source: what the sentence calls the weights.

  Raises:
    UserError: it counts the missing, extra and differently shaped entries, and names the first.
  """
  found, wanted = _shapes(params, averages), _shapes(expected_params, expected_averages)
  faults = differences.tell(found, wanted)
  if faults:
    raise errors.UserError(f'{source} does not fit the model of {len(wanted)} entries: {faults}')


def adapt(params: Weights, averages: Weights, fresh_params: Weights, fresh_averages: Weights, *,
          heads: Sequence[str], source: str = 'the file') -> tuple[Weights, Weights]:
  """Returns weights to fine-tune from: the given ones, but new heads for other classes.

  Args:
    params, averages: {module: {name: array}}, of the same model with any number of classes.
    fresh_params, fresh_averages: newly initialised ones of the model, or their shapes.
    heads: the model's, see model.Model.
    source: what a sentence calls the weights.

  Returns:
    `params` and `averages`; a head is that of `fresh_params` if the number of classes differs.

  Raises:
    UserError: see `check`.
  """
  renewed = {head: fresh_params[head] for head in heads if head in params
             and _only_classes_differ(params[head], fresh_params.get(head, {}))}
  params = {**params, **renewed}
  check(params, averages, fresh_params, fresh_averages, source)
  return params, averages


def _only_classes_differ(weights: Mapping[str, Any], fresh: Mapping[str, Any]) -> bool:
  """Whether the last axis differs and nothing else."""
  if weights.keys() != fresh.keys():
    return False
  pairs = [(w.shape, fresh[name].shape) for name, w in weights.items()]
  return all(a[:-1] == b[:-1] for a, b in pairs) and any(a != b for a, b in pairs)


def _is_dict_of_names(found: Any) -> bool:
  return isinstance(found, dict) and bool(found) and all(isinstance(key, str) for key in found)


def _counts(array: Any) -> bool:
  return np.issubdtype(array.dtype, np.integer)


def _shapes(params: Weights, averages: Weights) -> dict[str, str]:
  return {f'{prefix}{module}/{name}': ('int32 ' if _counts(w) else '') + str(tuple(w.shape))
          for prefix, kind in (('', params), (_AVERAGES, averages))
          for module, weights in kind.items() for name, w in weights.items()}


def _first_line(error: Exception) -> str:
  return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
