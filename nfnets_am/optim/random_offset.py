"""Weight augmentation: the gradient at a random place near the parameters (Summers 2021, app. B.4).

The mean of such gradients is that of the loss smoothed around the parameters, of which an update
takes one sample. Clipping, decay and momentum come afterwards and see the parameters themselves.
"""

from typing import Any

import jax
import jax.numpy as jnp

from nfnets_am.optim import checks
from nfnets_am.optim import sam

# Apart from the keys of micro-batches, which count from 0.
_OFFSET = 2**31 - 1


def random_offset(rows: sam.RowsOfDevice, *, deviation: float, relative: bool = True) -> sam.Rule:
  """The gradient at parameters with normal noise.

  Args:
    rows: of a device.
    deviation: standard deviation of the noise, over 0.
    relative: whether it is a multiple of the root mean square of each array of parameters, which a
      norm's scale and a kernel can share; else in the units of the parameters.

  Returns:
    A rule. The noise is a draw of the update's key of noise: devices that have keys of their own
    take their gradients at places of their own.

  Raises:
    ConfigError: a deviation that is no number over 0.
  """
  del rows
  checks.number(f'ascent.deviation={deviation!r}', deviation, 'a number over 0')

  def rule(grad_fn, params, batch, rng, axis_name):
    del axis_name
    key = jax.random.fold_in(rng, _OFFSET)
    return grad_fn(moved(params, key, deviation, relative), batch)

  return rule


def moved(params: Any, key: jax.Array, deviation: float, relative: bool) -> Any:
  """Returns params with normal noise added; see `random_offset`."""
  leaves, tree = jax.tree.flatten(params)
  keys = jax.random.split(key, len(leaves))
  sizes = [jnp.sqrt(jnp.square(w).mean()) if relative else 1.0 for w in leaves]
  return tree.unflatten([
      w + deviation * size * jax.random.normal(key, w.shape, w.dtype)
      for w, size, key in zip(leaves, sizes, keys, strict=True)])
