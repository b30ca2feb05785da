"""Rates that are constant for a while, then others."""

from collections.abc import Sequence
import fractions
import math
from typing import Any

import jax.numpy as jnp
import optax

from nfnets_am.core import errors
from nfnets_am.optim.schedules import parts


def constant(peak: float, updates: int) -> parts.Schedule:
  """Returns t -> `peak`.

  Args:
    peak: the learning rate.
    updates: length of the run; a constant does not depend on it.

  Returns:
    A function of t (int or int32 array) that gives a float32 of t's shape.

  Raises:
    ConfigError: a peak below 0 or not finite; so do all schedules.
  """
  del updates
  parts.check('constant', 'peak', peak, 'a number of at least 0')
  return lambda t: jnp.full(jnp.shape(t), peak, jnp.float32)


def halving(peak: float, updates: int, *, start: float = 0.5, every: float = 0.05,
            first_at_start: bool = True) -> parts.Schedule:
  """Constant, then halved again and again (Fort et al. 2021, sec. 2).

  The paper: constant for the first m/2 epochs, then divided by 2 every m/20 epochs. It leaves open
  whether the first halving comes at m/2 (10 halvings, the last updates run at peak / 1024) or
  m/20 later (9 halvings, peak / 512).

  Args:
    peak: learning rate before the first halving.
    updates: length of the run.
    start: where the constant part ends, as a fraction of the run, in [0, 1].
    every: distance between halvings, as a fraction of the run, in (0, 1].
    first_at_start: whether the first halving is at `start`, else at `start + every`.

  Returns:
    A function of t (int or int32 array) that gives a float32. A boundary that falls between two
    updates acts from the later one on; boundaries that meet at one update multiply.

  Raises:
    ConfigError: `start` is not in [0, 1], or `every` is not in (0, 1].
  """
  parts.check('halving', 'peak', peak, 'a number of at least 0')
  parts.check('halving', 'start', start, '0 to 1')
  parts.check('halving', 'every', every, 'more than 0 to 1')
  # The float 0.05 lies a little above 1/20, so that multiples of it would miss whole updates: the
  # decimal that the config shows is the number that is meant.
  start, every = fractions.Fraction(str(start)), fractions.Fraction(str(every))
  position = start if first_at_start else start + every
  scales: dict[int, float] = {}
  while position < 1:
    boundary = math.ceil(position * updates)
    scales[boundary] = scales.get(boundary, 1.0) / 2
    position += every
  return parts.float32(optax.piecewise_constant_schedule(peak, scales))


def piecewise(peak: float, updates: int, *, boundaries: Sequence[float] = (),
              scales: Sequence[float] = (1.0,), inclusive: bool = False, warmup: float = 0.0,
              start: float = 0.0, geometric: bool = False) -> parts.Schedule:
  """Constant pieces, after a ramp if asked.

  Hoffer et al. 2020 train ResNet-50 at 0.1 and divide by 10 at epochs 30, 60 and 80: boundaries
  there, scales (1, .1, .01, .001). For batch 8192 they ramp for 5 epochs from 0.1 to 3.2:
  start=1/32. Summers 2021, ch. 2, begins with a lower piece: boundaries (400, 32000, 48000, 70000),
  scales (.1, 1, .1, .01, .001), inclusive; its runs on Caltech-256 begin with a geometric ramp.

  Args:
    peak: what the scales multiply.
    updates: length of the run; boundaries may lie beyond it.
    boundaries: where a piece ends, rising.
    scales: one more than boundaries; piece i runs at scales[i] * peak.
    inclusive: whether the update t = boundary still runs at the old rate, as in TensorFlow's
      piecewise_constant; else it is the first at the new one, as where epochs switch rates.
    warmup: length of the ramp to scales[0] * peak, at most the first boundary; update 0 runs at the
      start, update `warmup` is behind the ramp.
    start: where the ramp starts, as a fraction of its end, in [0, 1].
    geometric: whether the logarithm of the rate rises linearly, from a start over 0.

  Returns:
    A function of t (int or int32 array) that gives a float32.

  Raises:
    ConfigError: a value out of range, boundaries that do not rise, another number of scales.
  """
  parts.check('piecewise', 'peak', peak, 'a number of at least 0')
  parts.check_ramp('piecewise', warmup, start)
  boundaries, scales = (_numbers('piecewise', key, values) for key, values in
                        [('boundaries', boundaries), ('scales', scales)])
  if any(b <= a for a, b in zip(boundaries, boundaries[1:], strict=False)):
    raise errors.ConfigError(
        f"schedule 'piecewise': boundaries is {boundaries}; allowed: numbers that rise")
  if len(scales) != len(boundaries) + 1:
    raise errors.ConfigError(
        f"schedule 'piecewise': scales is {scales}; allowed: {len(boundaries) + 1} numbers, one "
        f'more than the boundaries {boundaries}')
  if boundaries and warmup > boundaries[0]:
    raise errors.ConfigError(
        f"schedule 'piecewise': warmup is {warmup}; allowed: up to the first boundary, "
        f'{boundaries[0]}')
  if geometric and not (warmup and start):
    raise errors.ConfigError(
        f"schedule 'piecewise': geometric is True with warmup {warmup} and start {start}; "
        'allowed: both over 0')
  starts = [parts.first_update(b, inclusive) for b in boundaries]
  held = optax.join_schedules([optax.constant_schedule(peak * scale) for scale in scales], starts)
  return parts.float32(parts.ramped(
      held, peak * scales[0], warmup=warmup, start=start, geometric=geometric))


def _numbers(name: str, key: str, values: Any) -> tuple[float, ...]:
  if not isinstance(values, Sequence) or isinstance(values, str):
    raise errors.ConfigError(f'schedule {name!r}: {key} is {values!r}; allowed: a tuple of numbers')
  for value in values:
    parts.check(name, key, value, 'a number of at least 0')
  return tuple(values)
