"""Sharpness-aware minimisation: the gradient at a worse point nearby (Foret et al. 2021).

With g the gradient at the parameters w, the update uses the gradient at w + rho * g / |g|, where
|g| is one norm over all parameters. Clipping, decay and momentum come afterwards and once, and see
w itself. On many devices each one climbs its own g unless it is told to share, as in the published
code; what climbs is then the per-device batch, so it matters how many unique images that holds.
"""

from collections.abc import Callable
import fractions
import math
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.optim import checks

GradFn = Callable[[Any, Any], tuple[Any, Any]]
# (grad_fn, params, batch, axis_name) -> (this device's gradient, aux).
Rule = Callable[[GradFn, Any, Any, str | None], tuple[Any, Any]]


class RowsOfDevice(NamedTuple):
  """How the rows of a device's batch lie, for rules that take a part of them.

  Attributes:
    views_per_device: B, rows of one device.
    multiplicity: n, views per unique image; 0 (raw images) counts as 1.
    layout: key of `IMAGE_OF_ROW`.
    accumulate: micro-batches that `grad_fn` splits its rows into.
  """

  views_per_device: int
  multiplicity: int
  layout: str
  accumulate: int


def none(rows: RowsOfDevice) -> Rule:
  """The gradient at the parameters themselves."""
  del rows
  return lambda grad_fn, params, batch, axis_name: grad_fn(params, batch)


def sam(rows: RowsOfDevice, *, rho: float, synchronised: bool = False,
        fraction: float = 1.0) -> Rule:
  """Sharpness-aware minimisation; see `sam_gradient`, which the rule calls.

  Args:
    rows: of a device.
    rho: length of the step up, in the units of the parameters, over 0.
    synchronised: whether all devices climb the mean of their gradients, else each its own.
    fraction: part of a device's unique images that the ascent's gradient is taken on, in (0, 1].

  Returns:
    A rule, with the gradient not yet averaged over devices and the aux of the first pass.

  Raises:
    ConfigError: a value out of range, a fraction that is no whole image, or one whose rows the
      micro-batches do not divide.
  """
  checks.number(f'ascent.rho={rho!r}', rho, 'a number over 0')
  checks.number(f'ascent.fraction={fraction!r}', fraction, 'more than 0 to 1')
  part = None
  if fraction < 1:
    part = ascent_rows(rows.views_per_device, rows.multiplicity, rows.layout, fraction)
    if len(part) % rows.accumulate:
      raise errors.ConfigError(
          f'accumulate={rows.accumulate} does not divide the {len(part)} views of '
          f'ascent.fraction={fraction}')
  return lambda grad_fn, params, batch, axis_name: sam_gradient(
      grad_fn, params, batch, rho=rho, rows=part, axis_name=axis_name, synchronised=synchronised)


def sam_gradient(
    grad_fn: GradFn,
    params: Any,
    batch: Any,
    *,
    rho: float,
    rows: np.ndarray | None = None,
    axis_name: str | None = None,
    synchronised: bool = False,
) -> tuple[Any, Any]:
  """Returns this device's gradient at params + rho * g / |g|.

  The gradient is NOT averaged over devices: the caller takes the mean, as without SAM, and must
  not take it inside `grad_fn`. `grad_fn` is called twice; it holds the random key and the model
  state, so that both passes see the same noise and start from the same state.

  Args:
    grad_fn: (params, batch) -> (gradient of this device's mean loss, aux).
    params: pytree of float32 arrays.
    batch: pytree of arrays with leading axis B, the rows of this device.
    rho: length of the step up, in the units of the parameters.
    rows: the rows that the ascent gradient is taken on (see `ascent_rows`); all when None.
    axis_name: the mapped axis of the devices; only `synchronised` needs it.
    synchronised: whether all devices climb the mean of their gradients, else each its own.

  Returns:
    (gradient, aux of the first pass). The first pass is at `params` itself, so its loss and its
    new model state are the ones to keep; with `rows` they are those of these rows.
  """
  # Taking all rows by number would copy the images for nothing.
  part = batch if rows is None else jax.tree.map(lambda x: x[rows], batch)
  ascent, aux = grad_fn(params, part)
  if synchronised:
    ascent = jax.lax.pmean(ascent, axis_name)
  gradient, _ = grad_fn(climb(params, ascent, rho), batch)
  return gradient, aux


def climb(params: Any, gradient: Any, rho: float) -> Any:
  """Returns params + rho * gradient / |gradient|, or `params` where the gradient is all zero."""
  norm = optax.tree.norm(gradient)
  # Both branches of a `where` are computed: the division must not see a zero either.
  scale = jnp.where(norm > 0, rho / jnp.where(norm > 0, norm, 1.0), 0.0)
  return jax.tree.map(lambda w, g: w + scale * g, params, gradient)


def ascent_rows(views_per_device: int, multiplicity: int, layout: str,
                fraction: float) -> np.ndarray:
  """Returns the rows of a device's batch that hold its first unique images.

  A fraction of the rows is not a fraction of the images: of 32 rows with 16 views each, the first
  6 hold one image. So whole images are counted and all their views are taken.

  Args:
    views_per_device: B, rows of one device.
    multiplicity: n, views per unique image; 0 (raw images) counts as 1.
    layout: 'image_major' (views of an image side by side) or 'view_major' (all unique images
      of the device, then all again).
    fraction: part of the device's U = B / n unique images, rounded up, with 1 <= fraction * U.

  Returns:
    int array [n * ceil(fraction * U)] of row numbers, ascending.

  Raises:
    ConfigError: unknown layout, rows that are not whole images, a fraction over 1, or one that is
      less than one image.
  """
  views = max(multiplicity, 1)
  unique, rest = divmod(views_per_device, views)
  if rest or not unique:
    raise errors.ConfigError(
        f'SAM on a part of the batch needs whole images on a device: {views_per_device} rows per '
        f'device with multiplicity {multiplicity}; allowed: a multiple of {views} rows')
  # As written in the config: the float 0.2 times 15 images would round up to 4.
  wanted = fractions.Fraction(str(fraction)) * unique
  if not 1 <= wanted <= unique:
    raise errors.ConfigError(
        f'SAM on the fraction {fraction} of the {unique} unique images per device '
        f'({views_per_device} rows, multiplicity {multiplicity}) is {float(wanted):g} images; '
        f'allowed: {1 / unique:.4g} to 1')
  image = IMAGE_OF_ROW[layout](np.arange(views_per_device), views, unique)
  return np.flatnonzero(image < math.ceil(wanted))


# (rows, n, U) -> number of the unique image, on its device, that each row is a view of.
IMAGE_OF_ROW = registry.Registry('layout', {
    'image_major': lambda row, views, unique: row // views,
    'view_major': lambda row, views, unique: row % unique,
})

# rows -> the rule that makes an update's gradient from a function that gives gradients.
ASCENTS = registry.Registry('ascent', {
    'none': none,
    'sam': sam,
})
