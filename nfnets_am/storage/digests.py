"""Digests of arrays: what was saved is told from what was read, wherever the arrays lie."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def of(tree: Any) -> list[int]:
  """Returns a number for each array of a tree, in the order of its leaves.

  Sums of bits times odd weights, modulo 2**32: one flipped bit always changes its array's, and the
  order of a sum over shards and devices does not matter. It costs one pass over the arrays, where
  they lie; every host of a run calls it.

  Args:
    tree: of jax.Arrays, sharded or replicated, or of numpy's.

  Returns:
    Numbers in [0, 2**32).
  """
  return [int(np.asarray(x)) for x in _digests(jax.tree.leaves(tree))]


@jax.jit
def _digests(leaves: list[jax.Array]) -> list[jax.Array]:
  return [_digest(x) for x in leaves]


# A program of its own: it is traced once for each shape, and a state has hundreds of arrays of few.
@jax.jit
def _digest(x: jax.Array) -> jax.Array:
  if x.dtype == jnp.bool_:
    x = x.astype(jnp.uint8)
  if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
    x = jax.random.key_data(x)
  width = x.dtype.itemsize
  kind = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32, 8: jnp.uint32}[width]
  # Eight bytes become two words, in a further axis.
  bits = jax.lax.bitcast_convert_type(x, kind).astype(jnp.uint32)
  weight = jnp.ones((), jnp.uint32)
  place = jnp.zeros(bits.shape, jnp.uint32)
  for axis in reversed(range(bits.ndim)):
    place += weight * jax.lax.broadcasted_iota(jnp.uint32, bits.shape, axis)
    weight *= jnp.uint32(bits.shape[axis])
  return jnp.sum(bits * (2 * place + 1), dtype=jnp.uint32)
