"""What limits a gradient before decay and momentum see it."""

from collections.abc import Callable
import functools
from typing import Any

import jax
import optax

from nfnets_am.core import registry
from nfnets_am.optim import checks
from nfnets_am.optim import masks

# How long a gradient is over all its arrays: a float32 scalar. Hoffer et al. 2020 (fig. 1) plot it
# as it is before the clip and before decay is added.
norm: Callable[[Any], jax.Array] = optax.tree.norm


def none(head: str) -> optax.GradientTransformation:
  """Leaves the gradient as it is."""
  del head
  return optax.identity()


def agc(head: str, *, clip: float, eps: float = 1e-3) -> optax.GradientTransformation:
  """Adaptive gradient clipping, unit by unit (Brock et al. 2021b, sec. 4.1).

  A unit's gradient is clipped to `clip` times the norm of the unit's weights. A unit is an output
  channel of a kernel (HWIO: over H, W and I) or a column of a matrix, and a whole vector. As in
  every published form, a kernel with one dimension above 1, such as (1, 1, 1, 16), counts as a
  vector: one unit. No model here has such a kernel on colour images. The head's weight is not
  clipped, its bias is.

  Args:
    head: path of the module of the last linear, a fact of the model.
    clip: largest ratio of a unit's gradient norm to its weight norm, over 0.
    eps: weight norms below it count as it, over 0, so that what starts at 0 can move.

  Returns:
    An optax transformation; its update needs the params.

  Raises:
    ConfigError: a value out of range. From `init`: the parameters have no such head.
  """
  checks.number(f'clip.clip={clip!r}', clip, 'a number over 0')
  checks.number(f'clip.eps={eps!r}', eps, 'a number over 0')
  return optax.masked(
      optax.adaptive_grad_clip(clip, eps=eps), functools.partial(masks.not_head, head=head))


def global_norm(head: str, *, norm: float) -> optax.GradientTransformation:
  """Shortens a gradient whose norm over all arrays, the head's too, is `norm` or more to `norm`.

  Args:
    head: not looked at.
    norm: longest gradient, over 0.

  Raises:
    ConfigError: a norm that is not over 0.
  """
  del head
  checks.number(f'clip.norm={norm!r}', norm, 'a number over 0')
  return optax.clip_by_global_norm(norm)


# head -> what the chain of an update begins with.
CLIPS = registry.Registry('clip', {
    'agc': agc,
    'global_norm': global_norm,
    'none': none,
})
