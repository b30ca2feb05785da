"""Learning-rate schedules, all in updates.

A factory takes the peak learning rate and the run's number of updates and gives a function of the
update's number t (0 is the first update). No schedule looks at the multiplicity: a run whose
epochs take more updates at n views has a longer budget, and that is all that changes.
"""

from collections.abc import Callable
import fractions
import math

import jax
import jax.numpy as jnp
import optax

from nfnets_am.core import errors
from nfnets_am.core import registry

Schedule = Callable[[jax.typing.ArrayLike], jax.Array]


def constant(peak: float, updates: int) -> Schedule:
  """Returns t -> `peak`.

  Args:
    peak: the learning rate.
    updates: length of the run; a constant does not depend on it.

  Returns:
    A function of t (int or int32 array) that gives a float32 of t's shape.
  """
  del updates
  return lambda t: jnp.full(jnp.shape(t), peak, jnp.float32)


def halving(peak: float, updates: int, *, start: float = 0.5, every: float = 0.05,
            first_at_start: bool = True) -> Schedule:
  """Constant, then halved again and again (Fort et al. 2021, sec. 2).

  The paper: constant for the first m/2 epochs, then divided by 2 every m/20 epochs. It leaves open
  whether the first halving comes at m/2 (10 halvings, the last updates run at peak / 1024) or
  m/20 later (9 halvings, peak / 512).

  Args:
    peak: learning rate before the first halving.
    updates: length of the run.
    start: where the constant part ends, as a fraction of the run, in [0, 1].
    every: distance between halvings, as a fraction of the run, over 0.
    first_at_start: whether the first halving is at `start`, else at `start + every`.

  Returns:
    A function of t (int or int32 array) that gives a float32. A boundary that falls between two
    updates acts from the later one on; boundaries that meet at one update multiply.

  Raises:
    ConfigError: `start` is not in [0, 1], or `every` is not over 0.
  """
  if not 0 <= start <= 1:
    raise errors.ConfigError(f"schedule 'halving': start is {start}; allowed: 0 to 1")
  if not every > 0:
    raise errors.ConfigError(f"schedule 'halving': every is {every}; allowed: more than 0")
  # The float 0.05 lies a little above 1/20, so that multiples of it would miss whole updates: the
  # decimal that the config shows is the number that is meant.
  start, every = fractions.Fraction(str(start)), fractions.Fraction(str(every))
  position = start if first_at_start else start + every
  scales: dict[int, float] = {}
  while position < 1:
    boundary = math.ceil(position * updates)
    scales[boundary] = scales.get(boundary, 1.0) / 2
    position += every
  return _float32(optax.piecewise_constant_schedule(peak, scales))


def warmup_cosine(peak: float, updates: int, *, warmup: float = 0.0) -> Schedule:
  """Linear from 0 to the peak, then a cosine to 0 (Brock et al. 2021b).

  Args:
    peak: learning rate at t = `warmup`.
    updates: where the cosine reaches 0; it stays there.
    warmup: length of the linear part in updates, at least 0 and under `updates`. It need not be
      whole: 5 epochs of ImageNet at batch 4096 are 1563.9246 updates, whatever the multiplicity.

  Returns:
    A function of t (int or int32 array) that gives a float32.

  Raises:
    ConfigError: `warmup` is below 0, or leaves no update for the cosine.
  """
  if not 0 <= warmup < updates:
    raise errors.ConfigError(
        f"schedule 'warmup_cosine': warmup is {warmup} updates in a run of {updates}; "
        f'allowed: 0 to less than {updates}')
  cosine = optax.cosine_decay_schedule(peak, updates - warmup)
  if not warmup:
    return _float32(cosine)
  return _float32(
      optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), cosine], [warmup]))


def _float32(schedule: optax.Schedule) -> Schedule:
  return lambda t: jnp.asarray(schedule(t), jnp.float32)


SCHEDULES = registry.Registry('schedule', {
    'constant': constant,
    'halving': halving,
    'warmup_cosine': warmup_cosine,
})
