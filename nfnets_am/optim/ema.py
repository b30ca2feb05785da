"""Moving average of the parameters, which is what NFNets are evaluated with."""

from typing import Any

import jax
import jax.numpy as jnp
import optax


def init_ema(params: Any) -> Any:
  """Returns a float32 copy of `params`: the average starts at them.

  A copy, because a training step that donates its state may not hold one buffer twice.
  """
  return jax.tree.map(lambda w: jnp.array(w, jnp.float32, copy=True), params)


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


def update_ema(ema: Any, params: Any, update: jax.typing.ArrayLike, decay: float) -> Any:
  """Returns d * ema + (1 - d) * params with d = `decay_at(update, decay)`.

  Args:
    ema: average so far, float32.
    params: parameters after the update, same structure.
    update: t, the number of the update that was just done; the first is 0.
    decay: upper limit of d.
  """
  return optax.incremental_update(params, ema, 1 - decay_at(update, decay))
