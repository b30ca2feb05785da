"""What schedules are put together from."""

from collections.abc import Callable
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nfnets_am.core import errors
from nfnets_am.optim import checks

Schedule = Callable[[jax.typing.ArrayLike], jax.Array]


def first_update(position: float, inclusive: bool = False) -> int:
  """Returns the first update that is at a position or behind it, or, `inclusive`, behind it.

  A position within a millionth of a whole number is that number: 30 percent of 10 updates are
  computed to be a little more than 3.
  """
  whole = round(position)
  if abs(position - whole) < 1e-6:
    return whole + 1 if inclusive else whole
  return math.ceil(position)


def float32(schedule: optax.Schedule) -> Schedule:
  return lambda t: jnp.asarray(schedule(t), jnp.float32)


def ramped(schedule: optax.Schedule, end: float, *, warmup: float, start: float,
           geometric: bool = False) -> optax.Schedule:
  """Returns a ramp from start * end to `end` until `warmup`, from there on `schedule`.

  The clock of `schedule` starts with the ramp's: its beginning is never seen.
  """
  if not warmup:
    return schedule
  ramp = (optax.exponential_decay(start * end, warmup, 1 / start) if geometric
          else optax.linear_schedule(start * end, end, warmup))
  return lambda t: jnp.where(t < warmup, ramp(t), schedule(t))


def held_through(schedule: optax.Schedule, updates: int, every: float) -> optax.Schedule:
  """Returns the steps of `schedule` that keep, for `every` updates, the rate of the first.

  Where the intervals begin is worked out here: t / every is rounded on a device, and an update that
  is first would count as last.
  """
  positions = [k * every for k in range(math.ceil(updates / every))]
  starts = np.array([first_update(position) for position in positions], np.int32)

  def steps(t: jax.typing.ArrayLike) -> jax.Array:
    return schedule(jnp.array(positions, jnp.float32)[interval(starts, t)])

  return steps


def interval(starts: np.ndarray, t: jax.typing.ArrayLike) -> jax.Array:
  """Returns the number of the interval that t lies in; `starts` are sorted, the first is 0."""
  return jnp.searchsorted(starts, jnp.asarray(t, starts.dtype), side='right') - 1


def check(name: str, key: str, value: Any, allowed: str) -> None:
  checks.number(f'schedule {name!r}: {key} is {value!r}', value, allowed)


def check_ramp(name: str, warmup: float, start: float) -> None:
  check(name, 'warmup', warmup, 'a number of at least 0')
  check(name, 'start', start, '0 to 1')
  if start and not warmup:
    raise errors.ConfigError(
        f'schedule {name!r}: start is {start} but warmup is 0; allowed: a warmup over 0 with it')
