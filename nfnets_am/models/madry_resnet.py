"""The residual networks of Madry et al. 2018 (cifar10_challenge), which Summers 2021, ch. 3, takes.

Pre-activation units of two 3x3 convolutions without biases, on a stem of 16 channels, with leaky
ReLUs of 0.1. Images in [0, 1] (data.augment ends in normalise(mean=0, std=1)) are standardised one
by one inside the network. A shortcut has no weights: where the channels change it is a mean over
squares of the stride, with zero channels on both sides. The first unit's shortcut starts behind its
activation, the others' before it.

The published network has three stages of five units, 32 layers, and is ten times as wide. The
thesis has "an 18-layer ResNet, equivalent to the 'simple' model", which no number of units makes of
three stages: here that is four stages of two units, of the four groups of filters (16, 16, 32, 64)
that the paper lists. Its 8 layers for SVHN are three stages of one unit.
"""

from collections.abc import Sequence
import math

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import convolution
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

_STEM = 16
_FAN_OUT = hk.initializers.VarianceScaling(2.0, 'fan_out', 'normal')
_UNIFORM = hk.initializers.VarianceScaling(1.0, 'fan_in', 'uniform')
_NORM = 'batch(decay=0.9, eps=1e-3)'


def standardise(images: jax.Array) -> jax.Array:
  """Returns images with mean 0 and deviation 1, each by itself, over all pixels and channels.

  Args:
    images: [B, H, W, C]. The deviation counts as 1 / sqrt(H W C) at least, as in TensorFlow.

  Returns:
    The like of `images`; computed in float32.
  """
  x = images.astype(jnp.float32)
  axes = tuple(range(1, x.ndim))
  least = 1 / math.prod(x.shape[1:])
  # The root of what is above 0: that of a flat image's variance has no gradient.
  deviation = jnp.sqrt(jnp.maximum(x.var(axes, keepdims=True), least))
  return ((x - x.mean(axes, keepdims=True)) / deviation).astype(images.dtype)


class _Conv(hk.Module):
  """A 3x3 convolution without bias, made for networks that are attacked."""

  def __init__(self, channels: int, stride: int, name: str):
    super().__init__(name=name)
    self.channels, self.stride = channels, stride

  def __call__(self, x: jax.Array) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels]."""
    shape = (3, 3, x.shape[-1], self.channels)
    w = hk.get_parameter('w', shape, jnp.float32, _FAN_OUT)
    return convolution.conv2d(x, w.astype(x.dtype), self.stride)


def _activated(x: jax.Array) -> jax.Array:
  return jax.nn.leaky_relu(x, 0.1)


class _Unit(hk.Module):
  """norm, activation, conv, norm, activation, conv, plus the shortcut."""

  def __init__(self, channels: int, stride: int, first: bool, norm: norms.Maker, name: str):
    super().__init__(name=name)
    self.channels, self.stride, self.first, self.norm = channels, stride, first, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels]."""
    out = _activated(self.norm('norm0')(x, mode))
    shortcut = self._shortcut(out if self.first else x)
    out = _Conv(self.channels, self.stride, 'conv0')(out)
    out = _activated(self.norm('norm1')(out, mode))
    return shortcut + _Conv(self.channels, 1, 'conv1')(out)

  def _shortcut(self, x: jax.Array) -> jax.Array:
    batch, height, width, channels = x.shape
    if height % self.stride or width % self.stride:
      raise errors.ConfigError(
          f'maps of {height}x{width} pixels at a stride of {self.stride} in madry_resnet; allowed: '
          'images whose sides every stride divides')
    s = self.stride
    x = x.reshape(batch, height // s, s, width // s, s, channels).mean((2, 4))
    side = (self.channels - channels) // 2
    return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (side, side)))


class MadryResNet(hk.Module):
  """Standardisation, stem, stages of units, norm, activation, mean over the map, linear."""

  def __init__(self, num_classes: int, stem: int, stages: Sequence[tuple[int, int]], units: int,
               norm: norms.Maker):
    super().__init__(name='madry_resnet')
    self.num_classes, self.stem, self.stages = num_classes, stem, stages
    self.units, self.norm = units, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    x = _Conv(self.stem, 1, 'stem')(standardise(x))
    for stage, (channels, stride) in enumerate(self.stages):
      for unit in range(self.units):
        first, name = not (stage or unit), f'stage{stage}_unit{unit}'
        x = _Unit(channels, 1 if unit else stride, first, self.norm, name)(x, mode)
    features = _activated(self.norm('norm')(x, mode)).mean((1, 2))
    linear = layers.Linear(self.num_classes, _UNIFORM, name='linear')
    return model.Outputs(linear(features).astype(jnp.float32), features={'features': features})


def create(num_classes: int, *, depth: int = 32, width: int = 1, norm: str = _NORM) -> model.Model:
  """Returns the network of three stages with 16, 32 and 64 channels.

  Args:
    num_classes: K.
    depth: 2 + 6 k for k units in a stage: 32 is the published one, 8 that for SVHN.
    width: times the channels of the stages, not of the stem; 10 for the published wide one.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: another depth, no channels, or a norm that cannot be read.
  """
  if depth < 8 or (depth - 2) % 6:
    raise errors.ConfigError(f'model.depth={depth}; allowed: 8, 14, 20, 26, 32, ... (6 k + 2)')
  return _model('madry_resnet', num_classes, ((16, 1), (32, 2), (64, 2)), (depth - 2) // 6, width,
                norm)


def create_18(num_classes: int, *, width: int = 1, norm: str = _NORM) -> model.Model:
  """Returns that of 18 layers: four stages of two units with 16, 16, 32 and 64 channels.

  Maps are halved where channels double, as in the published one. Arguments as of `create`.
  """
  return _model('madry_resnet_18', num_classes, ((16, 1), (16, 1), (32, 2), (64, 2)), 2, width,
                norm)


def create_tiny(num_classes: int, *, norm: str = _NORM) -> model.Model:
  """Returns one for a CPU: a stem of 8 channels, then two strided units with 8 and 16.

  Its layers are the published ones; 4,962 parameters for 10 classes of grey images. Arguments as of
  `create`.
  """
  return _model('madry_resnet_tiny', num_classes, ((8, 2), (16, 2)), 1, 1, norm, stem=8, size=28)


def _model(name: str, num_classes: int, stages: Sequence[tuple[int, int]], units: int, width: int,
           norm: str, stem: int = _STEM, size: int = 32) -> model.Model:
  if width < 1:
    raise errors.ConfigError(f'model.width={width}; allowed: a whole number from 1 up')
  maker = norms.parse(norm)
  wide = tuple((width * channels, stride) for channels, stride in stages)
  return model.from_module(
      lambda: MadryResNet(num_classes, stem, wide, units, maker), name=name,
      num_classes=num_classes, train_size=size, test_size=size, head='madry_resnet/linear')
