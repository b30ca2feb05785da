"""Layers whose weights are float32 and which compute in the dtype of their input."""

import haiku as hk
import jax
import jax.numpy as jnp

# Keeps the variance of a signal that has passed a ReLU (He et al. 2015).
HE_NORMAL = hk.initializers.VarianceScaling(2.0, 'fan_in', 'normal')
FAN_IN = hk.initializers.VarianceScaling(1.0, 'fan_in', 'truncated_normal')


class Conv2D(hk.Module):
  """A convolution with bias, SAME padding, NHWC images and HWIO weights."""

  def __init__(self, channels: int, kernel: int, stride: int = 1, name: str | None = None):
    super().__init__(name=name)
    self.channels, self.kernel, self.stride = channels, kernel, stride

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels]."""
    shape = (self.kernel, self.kernel, x.shape[-1], self.channels)
    w = hk.get_parameter('w', shape, jnp.float32, HE_NORMAL)
    b = hk.get_parameter('b', (self.channels,), jnp.float32, jnp.zeros)
    x = jax.lax.conv_general_dilated(
        x, w.astype(x.dtype), (self.stride, self.stride), 'SAME',
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'))
    return x + b.astype(x.dtype)


class Linear(hk.Module):
  """A linear layer with bias."""

  def __init__(self, size: int, w_init: hk.initializers.Initializer = FAN_IN,
               name: str | None = None):
    super().__init__(name=name)
    self.size, self.w_init = size, w_init

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [B, D] to [B, size]."""
    w = hk.get_parameter('w', (x.shape[-1], self.size), jnp.float32, self.w_init)
    b = hk.get_parameter('b', (self.size,), jnp.float32, jnp.zeros)
    return x @ w.astype(x.dtype) + b.astype(x.dtype)


def dropout(x: jax.Array, rate: float, is_training: bool) -> jax.Array:
  """Drops features at `rate` and scales the kept ones by 1 / (1 - rate), in training only."""
  if not (is_training and rate):
    return x
  return hk.dropout(hk.next_rng_key(), rate, x)
