"""SGD as the papers run it: clip, decay, momentum, learning rate, in this order."""

import jax
import jax.numpy as jnp
import optax

from nfnets_am.core import errors
from nfnets_am.optim import masks


def make_optimizer(
    schedule: optax.Schedule,
    *,
    momentum: float = 0.9,
    nesterov: bool = False,
    weight_decay: float = 0.0,
    decay_mask: str = 'no_gain_bias',
    agc_clip: float = 0.0,
    agc_eps: float = 1e-3,
) -> optax.GradientTransformation:
  """Returns SGD with adaptive gradient clipping and coupled weight decay.

  The gradient is clipped, unit by unit, to `agc_clip` times the norm of the unit's weights; then
  `weight_decay` times the weights is added, so that the decay is never clipped but does go
  through the momentum and the learning rate (Brock et al. 2021b and its published code).

  AGC's unit is an output channel of a kernel (HWIO: over H, W and I) or a column of a matrix, and
  a whole vector. As in every published form, a kernel with one dimension above 1, such as
  (1, 1, 1, 16), counts as a vector: one unit. No model here has such a kernel on colour images.
  The last linear's weight is not clipped.

  Args:
    schedule: update's number -> learning rate.
    momentum: decay of the momentum buffer in [0, 1); 0 keeps no buffer.
    nesterov: whether to look ahead with the buffer, else heavy ball.
    weight_decay: coefficient of the weights that are added to the gradient.
    decay_mask: name in `masks.MASKS`: which parameters are decayed.
    agc_clip: largest ratio of a unit's gradient norm to its weight norm; 0 clips nothing.
    agc_eps: weight norms below it count as it, so that what starts at 0 can move.

  Returns:
    An optax transformation; its update needs the params.

  Raises:
    ConfigError: unknown mask, or Nesterov without momentum.
  """
  if nesterov and not momentum:
    raise errors.ConfigError('nesterov is True but momentum is 0; allowed: a momentum over 0')
  mask = masks.MASKS[decay_mask]
  steps = []
  if agc_clip:
    steps.append(
        optax.masked(optax.adaptive_grad_clip(agc_clip, eps=agc_eps), masks.not_final_linear))
  if weight_decay:
    steps.append(optax.add_decayed_weights(weight_decay, mask=mask))
  steps.append(optax.sgd(schedule, momentum=momentum or None, nesterov=nesterov))
  return optax.chain(*steps)


def l2_penalty(params: masks.Params, mask_name: str) -> jax.Array:
  """Returns half the sum of squares of the weights that the mask names.

  A loss that adds c times this has the gradient that `weight_decay=c` adds; unlike that, it is
  seen by SAM's ascent and clipped by AGC. Fort et al. 2021 (app. A) put the decay of the
  Wide-ResNets here.

  Args:
    params: {module: {name: float array}}.
    mask_name: name in `masks.MASKS`.

  Returns:
    A float32 scalar.

  Raises:
    ConfigError: unknown mask.
  """
  mask = masks.MASKS[mask_name](params)
  kept = [w.astype(jnp.float32)
          for keep, w in zip(jax.tree.leaves(mask), jax.tree.leaves(params), strict=True) if keep]
  return jnp.float32(0.5) * optax.tree.norm(kept, squared=True)
