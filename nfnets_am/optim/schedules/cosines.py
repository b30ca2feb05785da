"""Cosines, with a ramp before them or in place of their beginning."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nfnets_am.core import errors
from nfnets_am.optim.schedules import parts


def warmup_cosine(peak: float, updates: int, *, warmup: float = 0.0) -> parts.Schedule:
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
  parts.check('warmup_cosine', 'peak', peak, 'a number of at least 0')
  if not 0 <= warmup < updates:
    raise errors.ConfigError(
        f"schedule 'warmup_cosine': warmup is {warmup} updates in a run of {updates}; "
        f'allowed: 0 to less than {updates}')
  cosine = optax.cosine_decay_schedule(peak, updates - warmup)
  if not warmup:
    return parts.float32(cosine)
  return parts.float32(
      optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), cosine], [warmup]))


def cosine(peak: float, updates: int, *, cycles: int = 1, end: float = 0.0, warmup: float = 0.0,
           start: float = 0.0, every: float = 0.0) -> parts.Schedule:
  """Cosines over the whole of each cycle, the first updates of which are a ramp instead.

  Unlike `warmup_cosine`, the cosine does not wait for the ramp's end: where it takes over, it has
  fallen a little. Summers 2021, ch. 5: 3 of 500 epochs of ramp, 0.4 to 0.39996, and five cycles of
  100 epochs for a snapshot ensemble; the first update has rate 0. (Its public code runs the update
  t = warmup at the peak, the ramp's end.) DARTS: every='1 epochs'.

  Args:
    peak: where each cosine starts.
    updates: length of the run; the end's rate is held behind it.
    cycles: how many, of updates / cycles updates each, at least 1.
    end: where each cosine ends, as a fraction of the peak, in [0, 1].
    warmup: length of each cycle's linear ramp to the peak, less than a cycle.
    start: where the ramp starts, as a fraction of the peak, in [0, 1].
    every: length of the intervals through which the rate stays what it is at their start; 0 changes
      it with every update.

  Returns:
    A function of t (int or int32 array) that gives a float32.

  Raises:
    ConfigError: a value out of range.
  """
  parts.check('cosine', 'peak', peak, 'a number of at least 0')
  parts.check('cosine', 'end', end, '0 to 1')
  parts.check('cosine', 'every', every, 'a number of at least 0')
  parts.check_ramp('cosine', warmup, start)
  if not isinstance(cycles, int) or not 1 <= cycles <= updates:
    raise errors.ConfigError(
        f"schedule 'cosine': cycles is {cycles!r} in a run of {updates} updates; "
        f'allowed: 1 to {updates}')
  if warmup >= updates / cycles:
    raise errors.ConfigError(
        f"schedule 'cosine': warmup is {warmup} updates in cycles of {updates / cycles:g}; "
        f'allowed: 0 to less than {updates / cycles:g}')
  cycle = parts.ramped(
      optax.cosine_decay_schedule(peak, updates / cycles, alpha=end), peak,
      warmup=warmup, start=start)
  starts = np.array([k * updates / cycles for k in range(cycles)], np.float32)

  def schedule(t: jax.typing.ArrayLike) -> jax.Array:
    return cycle(t - jnp.asarray(starts)[parts.interval(starts, t)])

  return parts.float32(parts.held_through(schedule, updates, every) if every else schedule)
