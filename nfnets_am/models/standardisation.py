"""Scaled weight standardisation (Brock et al. 2021a, eq. 3), with a gradient that is fast on a CPU.

What XLA's CPU backend (jax 0.10.2) makes of the gradient takes it ten times as long where kernels
are 1x1: 40 ms of CPU time for 1,024 to 2,048 channels. There it is written out; other devices have
JAX's own. docs/performance.md has what it saves.
"""

import jax
import jax.numpy as jnp

# The variance of weights times their number is not divided by less.
_LEAST = 1e-4


# A program of its own: it is traced once for each shape, and not for each layer.
@jax.jit
def standardise(w: jax.Array, gain: jax.Array) -> jax.Array:
  """Returns gain * (w - mean) / sqrt(max(variance * fan_in, 1e-4)), float32.

  Mean and (biased) variance are taken over H, W and I. Only reverse-mode derivatives are defined.

  Args:
    w: HWIO weights, float32.
    gain: float32 [O].
  """
  return _standardise(w, gain)


def _plain(w, gain):
  mean, sum_of_squares = _moments(w)
  return (w - mean) * (gain * jax.lax.rsqrt(jnp.maximum(sum_of_squares, _LEAST)))


def _moments(w):
  """Returns the mean and the sum of squared differences from it, over all axes but the last."""
  axes = tuple(range(w.ndim - 1))
  mean = w.mean(axes)
  # Both sums in one reading of the weights. The difference is safe in float32: trained means are
  # small beside deviations, and at three deviations five digits are still right.
  return mean, jnp.square(w).sum(axes) - (w.size // w.shape[-1]) * jnp.square(mean)


@jax.custom_vjp
def _standardise(w, gain):
  return _plain(w, gain)


def _forward(w, gain):
  return _plain(w, gain), (w, gain)


def _backward(kept, g):
  return jax.lax.platform_dependent(
      *kept, g, cpu=_pull, default=lambda w, gain, g: jax.vjp(_plain, w, gain)[1](g))


def _pull(w, gain, g):
  """The gradients by weights and gain, of two sums in one reading of w and g.

  With n weights of a channel, s their sum of squared differences and r = 1 / sqrt(max(s, 1e-4)):
  by the gain r sum(g (w - mean)), and by the weights gain r (g - sum(g) / n), less, where s is
  over 1e-4, gain r^3 sum(g (w - mean)) (w - mean).
  """
  shape = w.shape
  w, g = (x.reshape(-1, shape[-1]) for x in (w, g))
  mean, sum_of_squares = _moments(w)
  factor = jax.lax.rsqrt(jnp.maximum(sum_of_squares, _LEAST))
  sum_g = g.sum(0)
  along = (g * w).sum(0) - mean * sum_g
  slope = jnp.where(sum_of_squares > _LEAST, gain * along * factor ** 3, 0.0)
  by_weights = gain * factor * g - slope * w + (slope * mean - gain * factor * sum_g / len(w))
  return by_weights.reshape(shape), along * factor


_standardise.defvjp(_forward, _backward)
