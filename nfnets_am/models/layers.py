"""Layers whose weights are float32 and which compute in the dtype of their input."""

from collections.abc import Callable
from collections.abc import Sequence
import math

import haiku as hk
import jax
from jax.experimental import layout
import jax.numpy as jnp

from nfnets_am.core import registry
from nfnets_am.models import convolution
from nfnets_am.models import convolving
from nfnets_am.models import max_pooling
from nfnets_am.models import standardisation

# Keeps the variance of a signal that has passed a ReLU (He et al. 2015).
HE_NORMAL = hk.initializers.VarianceScaling(2.0, 'fan_in', 'normal')
HE_FAN_OUT = hk.initializers.VarianceScaling(2.0, 'fan_out', 'normal')
FAN_IN_NORMAL = hk.initializers.VarianceScaling(1.0, 'fan_in', 'normal')
FAN_IN = hk.initializers.VarianceScaling(1.0, 'fan_in', 'truncated_normal')
GLOROT_UNIFORM = hk.initializers.VarianceScaling(1.0, 'fan_avg', 'uniform')
# Uniform within 1 / sqrt(fan_in): torch's start of weights, and of biases, where nothing is said.
TORCH = hk.initializers.VarianceScaling(1 / 3, 'fan_in', 'uniform')

Padding = convolution.Padding
# The fan-in of a layer to the initialiser of its bias.
BiasInit = Callable[[int], hk.initializers.Initializer]


def zero_bias(fan_in: int) -> hk.initializers.Initializer:
  """Returns what starts a bias at 0."""
  del fan_in
  return hk.initializers.Constant(0.0)


def torch_bias(fan_in: int) -> hk.initializers.Initializer:
  """Returns what starts a bias as TORCH starts the weights of its layer."""
  return hk.initializers.RandomUniform(-fan_in ** -0.5, fan_in ** -0.5)


def around(kernel: int | tuple[int, int], dilation: int = 1) -> Padding:
  """Returns the padding, alike on all sides, that keeps a map's size at stride 1; of odd kernels.

  At other strides it is torch's, and not 'SAME', which puts more of it after the image.
  """
  height, width = kernel if isinstance(kernel, tuple) else (kernel, kernel)
  return (dilation * (height // 2),) * 2, (dilation * (width // 2),) * 2


class Conv2D(hk.Module):
  """A convolution of NHWC images with HWIO weights."""

  def __init__(self, channels: int, kernel: int | tuple[int, int],
               stride: int | tuple[int, int] = 1, with_bias: bool = True, name: str | None = None,
               *, padding: Padding = 'SAME', groups: int = 1, dilation: int = 1,
               w_init: hk.initializers.Initializer = HE_NORMAL, b_init: BiasInit = zero_bias):
    """Makes the convolution.

    Args:
      channels: of the output.
      kernel: side of a square, or (height, width).
      stride: in both directions, or down and across.
      with_bias: whether a bias is added.
      name: of the module.
      padding: 'SAME', 'VALID', or what is put (before, after) each of height and width. 'SAME' puts
        the odd row after the image: at stride 2 that is (0, 1) for a kernel of 3 and an even image.
      groups: of channels that do not see each other; as many as there are is a depthwise
        convolution.
      dilation: distance of neighbouring weights on the image.
      w_init: of the weights.
      b_init: of the bias.
    """
    super().__init__(name=name)
    self.kernel, self.stride = (
        size if isinstance(size, tuple) else (size, size) for size in (kernel, stride))
    self.channels, self.with_bias, self.padding = channels, with_bias, padding
    self.groups, self.dilation = groups, dilation
    self.w_init, self.b_init = w_init, b_init

  def __call__(self, x: jax.Array, scale: jax.Array | None = None) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels], less without padding.

    Args:
      x: images.
      scale: float32 scalar that multiplies the output, by way of weights and bias; None is 1.
    """
    shape = (*self.kernel, x.shape[-1] // self.groups, self.channels)
    w = _scaled(hk.get_parameter('w', shape, jnp.float32, self.w_init), scale)
    geometry = convolving.Geometry(self.stride, self.padding, self.groups, self.dilation)
    # Of one group there is XLA's own on every device: what these networks have been held against.
    x = convolving.convolve(x, w.astype(x.dtype), geometry, (
        convolving.XLAS_OWN if self.groups == 1 else None))
    if not self.with_bias:
      return x
    b = hk.get_parameter(
        'b', (self.channels,), jnp.float32, self.b_init(math.prod(shape[:3])))
    return x + _scaled(b, scale).astype(x.dtype)


class WSConv2D(hk.Module):
  """A convolution with scaled weight standardisation, gain and bias (Brock et al. 2021a, eq. 3).

  The weights of every output channel have zero mean and, with gain 1, unit norm, so that a signal
  keeps its variance without a normaliser.
  """

  def __init__(self, channels: int, kernel: int, stride: int = 1, groups: int = 1,
               name: str | None = None):
    super().__init__(name=name)
    self.channels, self.kernel, self.stride, self.groups = channels, kernel, stride, groups

  def __call__(self, x: jax.Array, scale: jax.Array | None = None,
               pool: Callable[[jax.Array], jax.Array] = lambda x: x) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels].

    Args:
      x: images.
      scale: float32 scalar that multiplies the output, by way of weights and bias; None is 1.
      pool: a max-pool of the output. It comes before the bias, whose gradient then has fewer
        pixels to sum: what is added to all pixels leaves the greatest the greatest.
    """
    shape = (self.kernel, self.kernel, x.shape[-1] // self.groups, self.channels)
    w = hk.get_parameter('w', shape, jnp.float32, FAN_IN_NORMAL)
    gain = hk.get_parameter('gain', (self.channels,), jnp.float32, jnp.ones)
    bias = hk.get_parameter('bias', (self.channels,), jnp.float32, jnp.zeros)
    # A TPU makes the gradient of a grouped convolution transposed. Left alone, XLA then transposes
    # the weights, their momentum and their average too, to update them: six float32 copies.
    w = layout.with_layout_constraint(
        standardisation.standardise(w, _scaled(gain, scale)).astype(x.dtype),
        layout.Layout((0, 1, 2, 3)))
    geometry = convolving.Geometry((self.stride, self.stride), groups=self.groups)
    x = pool(convolving.convolve(x, w, geometry))
    return x + _scaled(bias, scale).astype(x.dtype)


def _scaled(x: jax.Array, scale: jax.Array | None) -> jax.Array:
  return x if scale is None else scale * x


class SqueezeExcite(hk.Module):
  """Gates of the channels in (0, 1) from their means over the map (Hu et al. 2018)."""

  def __init__(self, channels: int, hidden: int, name: str | None = None):
    super().__init__(name=name)
    self.fc0 = Linear(hidden, name='linear')
    self.fc1 = Linear(channels, name='linear_1')

  def __call__(self, means: jax.Array) -> jax.Array:
    """Maps [B, 1, 1, C] to [B, 1, 1, C]."""
    return jax.nn.sigmoid(self.fc1(jax.nn.relu(self.fc0(means))))


class Linear(hk.Module):
  """A linear layer."""

  def __init__(self, size: int, w_init: hk.initializers.Initializer = FAN_IN,
               name: str | None = None, *, with_bias: bool = True, b_init: BiasInit = zero_bias):
    super().__init__(name=name)
    self.size, self.with_bias, self.w_init, self.b_init = size, with_bias, w_init, b_init

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [B, D] to [B, size]."""
    w = hk.get_parameter('w', (x.shape[-1], self.size), jnp.float32, self.w_init)
    x = x @ w.astype(x.dtype)
    if not self.with_bias:
      return x
    b = hk.get_parameter('b', (self.size,), jnp.float32, self.b_init(w.shape[0]))
    return x + b.astype(x.dtype)


Window = int | tuple[int, int]


def max_pool(x: jax.Array, window: Window, stride: int, pad: int | str = 0) -> jax.Array:
  """Returns the greatest pixels of windows; padding is never the greatest.

  Args:
    x: [B, H, W, C].
    window: side of a square, or (height, width).
    stride: in both directions.
    pad: pixels on each side, less than the window; or 'SAME', which puts the odd one after the
      image.

  Returns:
    [B, H', W', C], H' = (H + 2 pad - height) // stride + 1, or H / stride, rounded up.
  """
  return max_pooling.max_pool(x, *_windows(window, stride, pad))


def average_pool(x: jax.Array, window: Window, stride: int, pad: int | str = 0, *,
                 count_padding: bool = False) -> jax.Array:
  """Returns means over what windows hold of the image, summed in float32; as of `max_pool`.

  With `count_padding` they are over whole windows, with zeros around the image.
  """
  total = lambda x: jax.lax.reduce_window(
      x, 0.0, jax.lax.add, *_windows(window, stride, pad))
  counts = (math.prod(_windows(window, stride, pad)[0]) if count_padding
            else total(jnp.ones((1, *x.shape[1:3], 1), jnp.float32)))
  return (total(x.astype(jnp.float32)) / counts).astype(x.dtype)


def _windows(window, stride, pad):
  height, width = window if isinstance(window, tuple) else (window, window)
  return ((1, height, width, 1), (1, stride, stride, 1),
          pad if isinstance(pad, str) else ((0, 0), (pad, pad), (pad, pad), (0, 0)))


def dropout(x: jax.Array, rate: float, is_training: bool, masks: int = 1) -> jax.Array:
  """Drops features at `rate` and scales the kept ones by 1 / (1 - rate), in training only.

  Args:
    x: features [B, D].
    rate: in [0, 1).
    is_training: whether to drop.
    masks: M, independent masks for each row of features (Fort et al. 2021, appendix D).

  Returns:
    [B, D], or in training with M > 1 [M, B, D]: the features are computed once, and only what
    follows is computed M times.
  """
  if not (is_training and rate):
    return x
  rng = hk.next_rng_key()
  if masks == 1:
    return hk.dropout(rng, rate, x)
  return jax.vmap(lambda rng: hk.dropout(rng, rate, x))(jax.random.split(rng, masks))


def stochastic_depth(x: jax.Array, rate: float, is_training: bool) -> jax.Array:
  """Zeroes the branch of whole examples at `rate`, in training only.

  What is kept is not scaled up, as in the public code of the NF papers.
  """
  if not (is_training and rate):
    return x
  keep = jax.random.bernoulli(hk.next_rng_key(), 1 - rate, (x.shape[0], 1, 1, 1))
  return x * keep.astype(x.dtype)


def signal_betas(depths: Sequence[int], alpha: float) -> list[float]:
  """Returns 1 / (expected standard deviation of the input) of every block.

  Each block adds a branch of variance alpha^2; the first block of a stage starts again from 1,
  since its shortcut sees the scaled activation (Brock et al. 2021a, sec. 3).
  """
  betas, variance = [], 1.0
  for depth in depths:
    for block in range(depth):
      betas.append(variance ** -0.5)
      variance = (1.0 if block == 0 else variance) + alpha ** 2
  return betas


# Activations times the constant that gives a unit normal signal unit variance again, as published.
ACTIVATIONS = registry.Registry('activation', {
    'gelu': lambda x: jax.nn.gelu(x) * 1.7015043497085571,
    'relu': lambda x: jax.nn.relu(x) * 1.7139588594436646,
})
