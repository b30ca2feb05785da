"""Moving average of parameters and model state, which is what NFNets are evaluated with."""

from typing import Any

import jax
import jax.numpy as jnp
import optax


def init_ema(tree: Any) -> Any:
  """Returns a copy of `tree`, floats as float32: the average starts at them.

  A copy, because a training step that donates its state may not hold one buffer twice.

  Args:
    tree: any pytree of arrays: parameters, or parameters and the state that is averaged with them.
  """
  return jax.tree.map(
      lambda w: jnp.array(w, jnp.float32 if _is_float(w) else w.dtype, copy=True), tree)


def decay_at(update: jax.typing.ArrayLike, decay: float) -> jax.Array:
  """Returns how much of the average survives an update: min(decay, (1 + t) / (10 + t)).

  With a constant 0.99999, a third of the average would still be the initial parameters after
  112,600 updates; this form forgets them (the published NFNet code, from TensorFlow 1).

  Args:
    update: t, the number of the update that was just done; the first is 0.
    decay: upper limit, in [0, 1].

  Returns:
    float32 of the shape of `update`.
  """
  t = jnp.asarray(update, jnp.float32)
  return jnp.minimum(jnp.float32(decay), (1 + t) / (10 + t))


def update_ema(ema: Any, tree: Any, update: jax.typing.ArrayLike, decay: float) -> Any:
  """Returns d * ema + (1 - d) * tree with d = `decay_at(update, decay)`.

  What is no float, such as a counter in the state, is taken from `tree`: a mean of it has no sense.

  Args:
    ema: average so far, see `init_ema`.
    tree: what is averaged, after the update; same structure.
    update: t, the number of the update that was just done; the first is 0.
    decay: upper limit of d.
  """
  step = 1 - decay_at(update, decay)
  return jax.tree.map(
      lambda new, old: optax.incremental_update(new, old, step) if _is_float(new) else new,
      tree, ema)


def _is_float(x: jax.Array) -> bool:
  return jnp.issubdtype(x.dtype, jnp.floating)
