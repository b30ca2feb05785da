"""The rule that makes a gradient of an objective: all rows at once or in parts, here or uphill."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nfnets_am.core import parallel
from nfnets_am.models import model

# (params, state, rng, rows, progress) -> (loss, (state, metrics)).
Loss = Callable[..., tuple[jax.Array, tuple[model.State, dict[str, jax.Array]]]]
# (gradient, (state, metrics)) of one device's rows, with the arguments of Loss.
Gradient = Callable[..., tuple[Any, tuple[model.State, dict[str, jax.Array]]]]


def of(loss: Loss, *, accumulate: int, ascent: Callable[..., Any]) -> Gradient:
  """Returns the gradient rule of a loss.

  Args:
    loss: of one device's rows.
    accumulate: micro-batches that the rows are cut into.
    ascent: an entry of ASCENTS, (gradient of rows, params, rows, rng) -> (gradient, aux).
  """
  part = in_parts(loss, accumulate)

  def gradient(params, state, rng, rows, progress):
    # The carry is cut with the rows, and holds as many.
    here = lambda params, rows: part(
        params, state._replace(carry=rows['carry']), rng, rows['rows'], progress)
    return ascent(
        here, params, {'rows': rows, 'carry': state.carry}, rng=rng, axis_name=parallel.AXIS)

  return gradient


def in_parts(loss: Loss, parts: int) -> Gradient:
  """Returns the mean gradient over rows, computed in micro-batches.

  Averages go from one micro-batch to the next, as they would over as many updates; a carry belongs
  to its rows and is cut with them.
  """
  # A program of its own, so that it is traced once for both gradients of SAM, and once for the
  # shapes and the loop over micro-batches. Compilers put it in its place.
  gradient = jax.jit(jax.grad(loss, has_aux=True))
  if parts == 1:
    return gradient

  def accumulated(params, state, rng, rows, progress):
    cut = lambda tree: jax.tree.map(
        lambda x: x.reshape((parts, x.shape[0] // parts) + x.shape[1:]), tree)
    rows, carry = cut(rows), cut(state.carry)

    def of_part(averages, index, rows, carry):
      return gradient(params, model.State(averages, carry), jax.random.fold_in(rng, index), rows,
                      progress)

    def add(sums, part):
      averages, sums = sums
      grads, (state, metrics) = of_part(averages, *part)
      return (state.averages, jax.tree.map(jnp.add, sums, (grads, metrics))), state.carry

    first = jax.tree.map(lambda x: x[0], (rows, carry))
    _, (_, metrics) = jax.eval_shape(of_part, state.averages, 0, *first)
    zeros = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), (params, metrics))
    (averages, sums), carry = jax.lax.scan(
        add, (state.averages, zeros), (jnp.arange(parts), rows, carry))
    grads, metrics = jax.tree.map(lambda x: x / parts, sums)
    carry = jax.tree.map(lambda x: x.reshape((-1,) + x.shape[2:]), carry)
    return grads, (model.State(averages, carry), metrics)

  return accumulated
