"""Batch renormalisation (Ioffe 2017, algorithm 1)."""

from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import model
from nfnets_am.models.norms import norm

UNITS = ('updates', 'progress')


class Renorm(norm.Norm):
  """Batch norm, corrected within limits to what the moving statistics would have given."""

  def __init__(self, name: str, scale_init: float = 1.0, *, r_max: float, d_max: float,
               r_ramp: tuple[float, float], d_ramp: tuple[float, float], unit: str, decay: float,
               eps: float):
    """Makes the norm; see `renorm`, and norm.Norm."""
    super().__init__(name, scale_init, decay=decay, eps=eps)
    self.r_max, self.d_max = r_max, d_max
    self.r_ramp, self.d_ramp, self.unit = r_ramp, d_ramp, unit

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Normalises [B, ..., C]."""
    mean, deviation = (self.moving(name, x.shape[-1], init)
                       for name, init in (('mean', 0.0), ('deviation', 1.0)))
    if not mode.is_training:
      weight = 0.0 if mode.example_weight is None else mode.example_weight
      if isinstance(weight, (int, float)) and weight == 0:
        return self.affine(x, mean, 1 / deviation)
      return self.infer(x, weight, mean, jnp.square(deviation) - self.eps)
    now = mode.progress
    if self.unit == 'updates':
      now = hk.get_state('updates', (), jnp.int32, jnp.zeros)
      hk.set_state('updates', now + 1)
    r_max = 1 + (self.r_max - 1) * _ramp(now, *self.r_ramp)
    d_max = self.d_max * _ramp(now, *self.d_ramp)
    batch_mean, squares = norm.moments(x, x.shape[0])
    variance = jnp.maximum(squares - jnp.square(batch_mean), 0)
    batch_deviation = jnp.sqrt(variance + self.eps)
    # Neither has a gradient.
    fixed_mean, fixed_deviation = jax.lax.stop_gradient((batch_mean, batch_deviation))
    r = jnp.clip(fixed_deviation / deviation, 1 / r_max, r_max)
    d = jnp.clip((fixed_mean - mean) / deviation, -d_max, d_max)
    for name, old, new in (('mean', mean, batch_mean), ('deviation', deviation, batch_deviation)):
      self.follow(name, old, new.reshape(1, -1))
    return self.affine(x, batch_mean, r / batch_deviation, d)


def _ramp(now: Any, start: float, stop: float) -> jax.Array:
  """Returns 0 up to `start`, 1 from `stop` on, and a line between them, float32."""
  return jnp.clip((jnp.asarray(now, jnp.float32) - start) / (stop - start), 0, 1)


def renorm(*, r_max: float = 3.0, d_max: float = 5.0, r_ramp: tuple[float, float] = (5000, 40000),
           d_ramp: tuple[float, float] = (5000, 25000), unit: str = 'updates', decay: float = 0.99,
           eps: float = 1e-3) -> norm.Maker:
  """Batch renormalisation over a device's rows; the limits are Ioffe's.

  Args:
    r_max: limit of the ratio of deviations in the end, at least 1.
    d_max: limit of the difference of means, in deviations, in the end, at least 0.
    r_ramp, d_ramp: when a limit leaves 1 or 0, where it is batch norm, and when it has arrived.
    unit: of the ramps: 'updates', counted in the state (micro-batches count), or 'progress', shares
      of the run in [0, 1].
    decay: of the moving mean and deviation, in [0, 1).
    eps: added to variances, over 0: the moving deviation starts at 1 and holds it.

  Raises:
    ConfigError: an argument out of its range.
  """
  norm.check('renorm', decay=decay, eps=eps)
  if not 1 <= r_max < float('inf'):
    raise errors.ConfigError(f'the norm renorm(r_max={r_max}); allowed: 1 or more')
  if not 0 <= d_max < float('inf'):
    raise errors.ConfigError(f'the norm renorm(d_max={d_max}); allowed: 0 or more')
  if not eps:
    raise errors.ConfigError(f'the norm renorm(eps={eps}); allowed: over 0, it divides')
  if unit not in UNITS:
    raise errors.ConfigError(f'the norm renorm(unit={unit!r}); allowed: {", ".join(UNITS)}')
  for key, ramp in (('r_ramp', r_ramp), ('d_ramp', d_ramp)):
    last = 1 if unit == 'progress' else float('inf')
    if len(ramp) != 2 or not 0 <= ramp[0] < ramp[1] <= last:
      raise errors.ConfigError(
          f'the norm renorm({key}={ramp}, unit={unit!r}); allowed: (start, stop) in order, '
          + ('in [0, 1]' if unit == 'progress' else 'from 0 up'))
  return norm.maker(Renorm, None, r_max=r_max, d_max=d_max, r_ramp=r_ramp, d_ramp=d_ramp,
                    unit=unit, decay=decay, eps=eps)
