"""What all norms share: float32 scale and offset, moments in one reading, mixed statistics.

A norm is called as norm(x [B, ..., C], mode) and returns the like of it. Its statistics are those
of the rows that it sees, one device's or one micro-batch's; nothing is exchanged between devices.
Its moving statistics are kept in Haiku's state, float32 [C].
"""

from collections.abc import Callable
import functools
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors

# (name, scale_init=1.0) -> norm, a Haiku module. Its attribute `rows`, if it has one, is how many
# consecutive rows share statistics in training; None is all that there are.
Maker = Callable[..., Any]


def maker(norm: Callable[..., 'Norm'], rows: int | None, **options: Any) -> Maker:
  """Returns a Maker of norms with these options, whose statistics are those of `rows` rows."""
  make = functools.partial(norm, **options)
  make.rows = rows
  return make


class Norm(hk.Module):
  """A scale and an offset for each channel; what is normalised is up to those below."""

  def __init__(self, name: str, scale_init: float = 1.0, *, decay: float, eps: float):
    """Makes the norm.

    Args:
      name: of the module.
      scale_init: 1, or 0 for the last norm of a residual branch that starts as its shortcut.
      decay: share of a moving statistic that stays in an update, in [0, 1).
      eps: added to variances.
    """
    super().__init__(name=name)
    self.scale_init, self.decay, self.eps = scale_init, decay, eps

  def affine(self, x: jax.Array, mean: jax.Array, factor: jax.Array, shift: Any = 0.0) -> jax.Array:
    """Returns scale * ((x - mean) * factor + shift) + offset in the dtype of x.

    Args:
      x: [B, ..., C].
      mean, factor, shift: float32, of groups of rows as `moments` gives them, or [C] for all.
    """
    channels = x.shape[-1:]
    scale = hk.get_parameter('scale', channels, jnp.float32,
                             hk.initializers.Constant(self.scale_init))
    offset = hk.get_parameter('offset', channels, jnp.float32, jnp.zeros)
    return _affine(x, mean, scale * factor, scale * shift + offset)

  def normalise(self, x: jax.Array, mean: jax.Array, variance: jax.Array) -> jax.Array:
    """Returns x normalised, scaled and shifted; see `affine`."""
    # A variance is a difference of moments, which rounding may take below 0.
    return self.affine(x, mean, jax.lax.rsqrt(jnp.maximum(variance, 0) + self.eps))

  def infer(self, x: jax.Array, weight: Any, mean: jax.Array, variance: jax.Array,
            pool: Callable[[jax.Array], jax.Array] = lambda moment: moment) -> jax.Array:
    """Normalises by a mixture of moments (Summers 2021, eq. 4.3).

    It is E[x] and E[x^2] that are mixed. The variance of the mixture is written as that of its two
    parts and of what their means are apart: E[x^2] - E[x]^2 would cancel where a mean is large, and
    a weight of 0 that is only known on the device would not give the plain inference.

    Args:
      x: [B, ..., C].
      weight: alpha, of an example's own moments. The numbers 0 and 1 compute only what they weigh.
      mean, variance: float32 [C], moving; what `pool` is for has been done to them.
      pool: of moments [..., C] over channels.

    Returns:
      The like of x.
    """
    known = isinstance(weight, (int, float))
    if known and weight == 0:
      return self.normalise(x, mean, variance)
    own, squares = map(pool, moments(x, 1))
    own_variance = squares - jnp.square(own)
    if known and weight == 1:
      return self.normalise(x, own, own_variance)
    apart = weight * (1 - weight) * jnp.square(own - mean)
    return self.normalise(x, weight * own + (1 - weight) * mean,
                          weight * own_variance + (1 - weight) * variance + apart)

  def moving(self, name: str, channels: int, init: float) -> jax.Array:
    """Returns a moving statistic, float32 [C], which starts at `init`."""
    return hk.get_state(name, (channels,), jnp.float32, hk.initializers.Constant(init))

  def follow(self, name: str, old: jax.Array, new: jax.Array) -> None:
    """Moves a moving statistic on, by statistics float32 [G, C] that come one after the other.

    With decay d this is old <- d old + (1 - d) new for each of the G in turn, as one sum.
    """
    hk.set_state(name, _moved(old, jax.lax.stop_gradient(new), self.decay))


# A program of its own: it is traced once for each shape, and not for each norm.
@functools.partial(jax.jit, static_argnums=(2,))
def _moved(old: jax.Array, new: jax.Array, decay: float) -> jax.Array:
  groups = len(new)
  weights = [(1 - decay) * decay ** (groups - 1 - g) for g in range(groups)]
  return decay ** groups * old + jnp.tensordot(
      jnp.array(weights, jnp.float32), new, 1, precision='highest')


# Both of these compute in float32 and keep x for the backward pass, as it is: what they make of it
# is computed again there, where x is read anyway. Both are programs of their own, as `_moved` is.
_keeps_its_input = functools.partial(jax.checkpoint, prevent_cse=False)


@jax.jit
@_keeps_its_input
def _affine(x: jax.Array, mean: jax.Array, factor: jax.Array, shift: jax.Array) -> jax.Array:
  groups = mean.shape[0] if mean.ndim > 1 else 1
  y = (_grouped(x, x.shape[0] // groups) - mean) * factor + shift
  return y.reshape(x.shape).astype(x.dtype)


@functools.partial(jax.jit, static_argnums=(1,))
@functools.partial(_keeps_its_input, static_argnums=(1,))
def moments(x: jax.Array, size: int) -> tuple[jax.Array, jax.Array]:
  """Returns E[x] and E[x^2] of groups of rows, in one reading of x.

  Args:
    x: [B, ..., C].
    size: consecutive rows in a group, see `group_size`.

  Returns:
    Two arrays float32 [B / size, 1, 1, ..., C], with one axis more than x.
  """
  rows = _grouped(x, size)
  axes = tuple(range(1, rows.ndim - 1))
  return rows.mean(axes, keepdims=True), jnp.square(rows).mean(axes, keepdims=True)


def _grouped(x: jax.Array, size: int) -> jax.Array:
  """Cuts rows [B, ..., C] into float32 groups [B / size, size, ..., C]."""
  return x.astype(jnp.float32).reshape((x.shape[0] // size, size) + x.shape[1:])


def group_size(x: jax.Array, size: int | None, what: str) -> int:
  """Returns the rows of a group: `size`, cut to the rows that there are; None is all.

  Args:
    x: [B, ..., C].
    size: as the norm has it.
    what: what the error calls the norm.

  Raises:
    ConfigError: the size does not divide B.
  """
  rows = x.shape[0]
  size = min(size or rows, rows)
  if rows % size:
    raise errors.ConfigError(
        f'the norm {what} over {rows} rows of a device; allowed: a divisor of them, or all')
  return size


def check(norm: str, *, decay: float, eps: float) -> None:
  """Refuses a decay or an eps out of its range."""
  if not 0 <= decay < 1:
    raise errors.ConfigError(f'the norm {norm}(decay={decay}); allowed: from 0 to below 1')
  if not 0 <= eps < float('inf'):
    raise errors.ConfigError(f'the norm {norm}(eps={eps}); allowed: 0 or more')


def check_count(norm: str, key: str, value: int) -> None:
  """Refuses what is no whole number from 1 up."""
  if not isinstance(value, int) or value < 1:
    raise errors.ConfigError(
        f'the norm {norm}({key}={value!r}); allowed: a whole number from 1 up')


class _Identity(hk.Module):
  """Returns what it is given; has no parameters."""

  def __call__(self, x: jax.Array, mode: Any) -> jax.Array:
    del mode
    return x


def none() -> Maker:
  """No norm: the identity, without parameters."""
  return lambda name, scale_init=1.0: _Identity(name=name)
