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
# (grad_fn, params, batch, rng, axis_name) -> (this device's gradient, aux); see ascents.py.
Rule = Callable[[GradFn, Any, Any, Any, str | None], tuple[Any, Any]]


class RowsOfDevice(NamedTuple):
  """How the rows of a device's batch lie, for rules that take a part of them.

  Attributes:
    views_per_device: B, rows of one device.
    multiplicity: n, views per unique image; 0 (raw images) counts as 1.
    layout: key of `IMAGE_OF_ROW`.
    accumulate: micro-batches that `grad_fn` splits its rows into.
    carry: whether rows hand a state on to the next update.
  """

  views_per_device: int
  multiplicity: int
  layout: str
  accumulate: int
  carry: bool = False


def sam(rows: RowsOfDevice, *, rho: float, synchronised: bool = False,
        fraction: float = 1.0, part: str = 'images') -> Rule:
  """Sharpness-aware minimisation; see `sam_gradient`, which the rule calls.

  Args:
    rows: of a device.
    rho: length of the step up, in the units of the parameters, over 0.
    synchronised: whether all devices climb the mean of their gradients, else each its own.
    fraction: of a device's rows that the ascent's gradient is taken on, in (0, 1].
    part: key of `PARTS`, what a fraction under 1 counts: 'images' takes some of the device's unique
      images with all their views, 'views' all of its images with some of their views, which is what
      a fraction can be where n is large and a device has few images.

  Returns:
    A rule, with the gradient not yet averaged over devices and the aux of the first pass.

  Raises:
    ConfigError: an unknown part, a value out of range, a fraction that is less than one image or
      view, one whose rows the micro-batches do not divide, or one of rows with a carry.
  """
  checks.number(f'ascent.rho={rho!r}', rho, 'a number over 0')
  checks.number(f'ascent.fraction={fraction!r}', fraction, 'more than 0 to 1')
  PARTS.get(part)  # Refuses an unknown name at any fraction.
  taken = None
  if fraction < 1:
    if rows.carry:
      raise errors.ConfigError(
          f'ascent.fraction={fraction} with a model whose rows carry a state to the next update; '
          'allowed: 1.0, as the ascent hands on the state of all rows')
    taken = ascent_rows(rows.views_per_device, rows.multiplicity, rows.layout, fraction, part)
    if len(taken) % rows.accumulate:
      raise errors.ConfigError(
          f'accumulate={rows.accumulate} does not divide the {len(taken)} views of '
          f'ascent.fraction={fraction}')
  return lambda grad_fn, params, batch, rng, axis_name: sam_gradient(
      grad_fn, params, batch, rho=rho, rows=taken, axis_name=axis_name, synchronised=synchronised)


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
                fraction: float, part: str = 'images') -> np.ndarray:
  """Returns the rows of a device's batch that the ascent takes.

  A fraction of the rows is not a fraction of the images: of 32 rows with 16 views each, the first
  6 hold one image. So whole images are counted, or the views of each of them.

  Args:
    views_per_device: B, rows of one device.
    multiplicity: n, views per unique image; 0 (raw images) counts as 1.
    layout: 'image_major' (views of an image side by side) or 'view_major' (all unique images
      of the device, then all again).
    fraction: of the device's U = B / n unique images, or of an image's n views, rounded up; at
      least one, at most all.
    part: key of `PARTS`: 'images' are the first ones with all their views, 'views' the first views
      of every image.

  Returns:
    int array of row numbers, ascending: [n * ceil(fraction * U)], or [U * ceil(fraction * n)].

  Raises:
    ConfigError: unknown layout or part, rows that are not whole images, a fraction over 1, or one
      that is less than one image or view.
  """
  views = max(multiplicity, 1)
  unique, rest = divmod(views_per_device, views)
  if rest or not unique:
    raise errors.ConfigError(
        f'SAM on a part of the batch needs whole images on a device: {views_per_device} rows per '
        f'device with multiplicity {multiplicity}; allowed: a multiple of {views} rows')
  all_of, of_row, what = PARTS[part](views, unique)
  # As written in the config: the float 0.2 times 15 images would round up to 4.
  wanted = fractions.Fraction(str(fraction)) * all_of
  if not 1 <= wanted <= all_of:
    other = next(name for name in PARTS if name != part)
    raise errors.ConfigError(
        f'SAM on the fraction {fraction} of the {all_of} {what} '
        f'({views_per_device} rows, multiplicity {multiplicity}) is {float(wanted):g} {part}; '
        f'allowed: {1 / all_of:.4g} to 1, or ascent.part={other!r}')
  image, view = IMAGE_OF_ROW[layout](np.arange(views_per_device), views, unique)
  return np.flatnonzero(of_row(image, view) < math.ceil(wanted))


# (n, U) -> how many there are, which of (image, view) counts them, and what they are.
PARTS = registry.Registry('part of the ascent', {
    'images': lambda views, unique: (
        unique, lambda image, view: image, 'unique images per device'),
    'views': lambda views, unique: (views, lambda image, view: view, 'views of an image'),
})

# (rows, n, U) -> the unique image of its device that each row is a view of, and which view of it.
IMAGE_OF_ROW = registry.Registry('layout', {
    'image_major': lambda row, views, unique: (row // views, row % views),
    'view_major': lambda row, views, unique: (row % unique, row // unique),
})
