"""Weights in timm's layout: torch's names and axes, with the moving statistics of the norms."""

from collections.abc import Mapping
import os
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.models import safetensors
from nfnets_am.models import timm_names

Tensors = Mapping[str, np.ndarray]
Weights = dict[str, dict[str, np.ndarray]]

# What torch counts of a norm, and we do not.
_COUNT = '.num_batches_tracked'
# A head that networks without it leave in the file.
_AUXILIARY = 'AuxLogits.'
_NAMED = 3


def load(path: str | os.PathLike) -> dict[str, np.ndarray]:
  """Returns the tensors of a safetensors file by timm's names.

  Raises:
    UserError: it is missing, or not whole, or something else.
  """
  try:
    return safetensors.read(path)
  except OSError as e:
    raise errors.UserError(f'the weights file {path} cannot be read: {e.strerror}') from None
  except (ValueError, MemoryError) as e:
    raise errors.UserError(
        f'the weights file {path} cannot be read ({e}); allowed: a safetensors file in the layout '
        'of timm') from None


def fit(tensors: Tensors, name: str, params: Mapping[str, Any], averages: Mapping[str, Any], *,
        source: str = 'the file') -> tuple[Weights, Weights]:
  """Returns a model's weights, under its own names and in its order of axes.

  Args:
    tensors: by timm's names.
    name: of the model, as registered.
    params, averages: of the model; only their names and the number of their axes are read.
    source: what a sentence calls the tensors.

  Returns:
    Parameters and averages, {module: {name: float32 array}}.

  Raises:
    UserError: timm has no such model, or the tensors are those of another one.
  """
  if name not in timm_names.FAMILIES:
    raise errors.UserError(
        f'{source} is in the layout of timm, of which model {name!r} cannot be read; allowed: '
        f'{", ".join(sorted(timm_names.FAMILIES))}')
  used: set[str] = set()
  missing: list[str] = []

  def take(key: str, axes: int) -> np.ndarray:
    used.add(key)
    if key not in tensors or tensors[key].ndim != axes or tensors[key].dtype != np.float32:
      missing.append(key)
      return np.zeros((0,) * axes, np.float32)
    return tensors[key]

  found = tuple({module: {leaf: _leaf(f'{_prefix(name, module)}.', leaf, w.ndim, take)
                          for leaf, w in leaves.items()}
                 for module, leaves in tree.items()} for tree in (params, averages))
  auxiliary = any(key.startswith(_AUXILIARY) for key in used)
  extra = [key for key in tensors if key not in used and not key.endswith(_COUNT)
           and (auxiliary or not key.startswith(_AUXILIARY))]
  faults = [f'{len(keys)} {what} ({", ".join(keys[:_NAMED])}{", ..." * (len(keys) > _NAMED)})'
            for what, keys in (('missing or of other axes', missing), ('extra', extra)) if keys]
  if faults:
    raise errors.UserError(f'{source} does not fit {name} of timm: {"; ".join(faults)}')
  return found


def _prefix(name: str, module: str) -> str:
  return timm_names.FAMILIES[name](module.partition('/')[2])


def _leaf(prefix, leaf, axes, take):
  if leaf == 'w':
    # OIHW to HWIO, and [K, D] to [D, K].
    return take(f'{prefix}weight', axes).transpose((2, 3, 1, 0) if axes == 4 else (1, 0))
  if leaf == 'squares':
    # E[x^2] of a norm whose variance torch keeps (Summers 2021, eq. 4.3).
    return take(f'{prefix}running_var', axes) + np.square(take(f'{prefix}running_mean', axes))
  return take(prefix + _LEAVES.get(leaf, leaf), axes)


# Of norms, and of linears.
_LEAVES = {'scale': 'weight', 'offset': 'bias', 'mean': 'running_mean', 'variance': 'running_var',
           'b': 'bias'}
