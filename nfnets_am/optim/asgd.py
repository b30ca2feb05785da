"""NT-ASGD (Merity et al. 2018): SGD until a metric stalls, then the average of what follows.

The trigger and, by default, the average are those of the public code, which changes from torch's
SGD to torch's ASGD (t0=0, lambd=0): a step of ASGD takes the rate of the step before it, the first
its own; and the average leaves the first iterate out, since the second is copied over it.
"""

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from nfnets_am.core import errors
from nfnets_am.core import registry

# form -> (whether a step takes the rate of the step before, iterates that the average leaves out).
FORMS = registry.Registry('form of nt_asgd', {'torch': (True, 1), 'plain': (False, 0)})


class State(NamedTuple):
  """What NT-ASGD remembers.

  Attributes:
    recent: float32 [nonmono], the last values of the metric, the newest last.
    best: float32, the least of those before them.
    steps: int32, steps since the change; -1 before it.
    updates: int32, all steps.
    rate: float32, of the last step.
    average: like the parameters: their mean since the change, before it the parameters.
  """

  recent: jax.Array
  best: jax.Array
  steps: jax.Array
  updates: jax.Array
  rate: jax.Array
  average: Any


def averaged(schedule: optax.Schedule, *, nonmono: int, form: str, segment: float
             ) -> optax.GradientTransformationExtraArgs:
  """Returns the last link of a chain: steps against the gradient, and their average.

  Args:
    schedule: update's number -> learning rate.
    nonmono: evaluations of the metric that may stall, at least 1.
    form: 'torch', or 'plain', in which each step takes its own rate and all iterates count.
    segment: see `length_factor`.
  """
  late, left_out = FORMS[form]

  def init(params):
    return State(
        recent=jnp.full((nonmono,), jnp.inf), best=jnp.float32(jnp.inf), steps=jnp.int32(-1),
        updates=jnp.int32(0), rate=jnp.float32(0),
        average=jax.tree.map(lambda w: jnp.array(w, copy=True), params))

  def update(grads, state, params, *, metrics=None, **extra):
    del extra
    now = schedule(state.updates) * length_factor(segment, metrics)
    rate = jnp.where(late & (state.steps > 0), state.rate, now)
    updates = jax.tree.map(lambda g: -rate * g, grads)
    steps = state.steps + (state.steps >= 0)
    share = 1 / jnp.maximum(steps - left_out, 1).astype(jnp.float32)
    # A share of 1 is a copy, bit for bit.
    average = jax.tree.map(
        lambda old, new: jnp.where(share == 1, new, old + share * (new - old)),
        state.average, optax.apply_updates(params, updates))
    return updates, state._replace(
        steps=steps, updates=state.updates + 1, rate=jnp.asarray(now, jnp.float32), average=average)

  return optax.GradientTransformationExtraArgs(init, update)


def observe(opt_state: Any, value: float, place: Callable[[Any], Any]) -> Any:
  """Returns an optimiser's state after an evaluation of the metric that it watches.

  It changes to averaging once a value is over the least of the values that are older than the last
  `nonmono` ones; the value itself is none of them.

  Args:
    opt_state: any tree with a State in it.
    value: of the metric, low ones are better.
    place: puts host arrays where the state's are.
  """
  def after(state):
    recent, best, steps = (np.asarray(x) for x in (state.recent, state.best, state.steps))
    value32 = np.float32(value)
    if steps < 0 and value32 > best:
      steps = np.zeros_like(steps)
    return state._replace(
        steps=place(steps), best=place(np.minimum(best, recent[0])),
        recent=place(np.append(recent[1:], value32)))

  return jax.tree.map(lambda x: after(x) if _is_state(x) else x, opt_state, is_leaf=_is_state)


def average_of(opt_state: Any) -> Any:
  """Returns the average of the parameters in an optimiser's state; None where there is none."""
  found = [x for x in jax.tree.leaves(opt_state, is_leaf=_is_state) if _is_state(x)]
  return found[0].average if found else None


def length_factor(segment: float, metrics: Any) -> jax.Array | float:
  """Returns what the rate of a segment of text is multiplied by: its length over `segment`.

  Args:
    segment: tokens that take the whole rate; 0 is no factor.
    metrics: of the update, with 'length'.

  Raises:
    ConfigError: the updates have no length.
  """
  if not segment:
    return 1.0
  if not metrics or 'length' not in metrics:
    raise errors.ConfigError(
        f'optimizer.segment={segment} with updates that have no length; allowed: 0, or segments of '
        'running text')
  return metrics['length'] / segment


def scale_by_length(segment: float) -> optax.GradientTransformationExtraArgs:
  """Multiplies updates by `length_factor`."""
  def update(updates, state, params=None, *, metrics=None, **extra):
    del params, extra
    return optax.tree.scale(length_factor(segment, metrics), updates), state

  return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


def _is_state(x: Any) -> bool:
  return isinstance(x, State)
