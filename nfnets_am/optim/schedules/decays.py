"""Rates that fall for ever."""

import jax
import jax.numpy as jnp
import optax

from nfnets_am.optim.schedules import parts


def exponential(peak: float, updates: int, *, factor: float, every: float,
                smooth: bool = False) -> parts.Schedule:
  """Multiplied by a factor again and again, as MobileNets and Inceptions were trained.

  Args:
    peak: rate of the first update.
    updates: length of the run.
    factor: of one interval, in (0, 1].
    every: length of an interval, over 0.
    smooth: whether the rate falls with every update, else at the end of each interval.

  Returns:
    A function of t (int or int32 array) that gives a float32.

  Raises:
    ConfigError: a value out of range.
  """
  parts.check('exponential', 'peak', peak, 'a number of at least 0')
  parts.check('exponential', 'factor', factor, 'more than 0 to 1')
  parts.check('exponential', 'every', every, 'a number over 0')
  schedule = optax.exponential_decay(peak, every, factor)
  return parts.float32(schedule if smooth else parts.held_through(schedule, updates, every))


def inverse_sqrt(peak: float, updates: int, *, warmup: float = 4000.0) -> parts.Schedule:
  """Rises linearly, then falls with the root of the update's number (Vaswani et al. 2017, eq. 3).

  With s = t + 1 the rate is peak * min(s / warmup, sqrt(warmup / s)). The paper writes
  width^-0.5 * min(s^-0.5, s * warmup^-1.5): the peak is (width * warmup)^-0.5, which is 6.988e-4
  for the base model's 512 and 4000.

  Args:
    peak: rate at s = `warmup`, the highest.
    updates: length of the run; the rate does not depend on it.
    warmup: length of the rise, over 0.

  Returns:
    A function of t (int or int32 array) that gives a float32.

  Raises:
    ConfigError: a value out of range.
  """
  del updates
  parts.check('inverse_sqrt', 'peak', peak, 'a number of at least 0')
  parts.check('inverse_sqrt', 'warmup', warmup, 'a number over 0')

  def schedule(t: jax.typing.ArrayLike) -> jax.Array:
    s = jnp.asarray(t, jnp.float32) + 1
    return peak * jnp.minimum(s / warmup, jnp.sqrt(warmup / s))

  return parts.float32(schedule)
