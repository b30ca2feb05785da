"""Residual networks with the norm before the ReLU.

He et al. 2016a as in the public code of Hoffer et al. 2020: the shortcut is a 1x1 convolution and a
norm wherever the shape changes, a block strides in its first 3x3 convolution and pads alike on all
sides, the last norm of every branch starts at scale 0, convolutions at variance 2 / fan_out, and
the head at deviation 0.01. With 10 classes the ResNet-44 for CIFAR has 661,338 parameters and the
Wide-ResNet 28-10 of the same blocks 36,481,434; with 1000 a ResNet-50 has 25,557,032.
"""

from collections.abc import Sequence
import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms


@dataclasses.dataclass(frozen=True)
class Variant:
  """What tells the networks for ImageNet apart.

  Attributes:
    depths: blocks of the four stages.
    bottleneck: whether a block is 1x1, 3x3, 1x1 with four times as many channels in the end, else
      two 3x3.
  """

  depths: tuple[int, int, int, int]
  bottleneck: bool = True


VARIANTS = {
    'resnet18': Variant((2, 2, 2, 2), bottleneck=False),
    'resnet34': Variant((3, 4, 6, 3), bottleneck=False),
    'resnet50': Variant((3, 4, 6, 3)),
    'resnet101': Variant((3, 4, 23, 3)),
    'resnet152': Variant((3, 8, 36, 3)),
}


def _conv(channels: int, kernel: int, stride: int, name: str) -> layers.Conv2D:
  return layers.Conv2D(channels, kernel, stride, with_bias=False, name=name,
                       padding=layers.around(kernel), w_init=layers.HE_FAN_OUT)


class _Block(hk.Module):
  """Convolutions with norms, ReLUs between them, plus the shortcut, ReLU."""

  def __init__(self, channels: int, stride: int, bottleneck: bool, norm: norms.Maker, name: str):
    super().__init__(name=name)
    self.norm, self.stride = norm, stride
    # (channels, kernel, stride) of each convolution.
    self.convs = ([(channels, 1, 1), (channels, 3, stride), (4 * channels, 1, 1)] if bottleneck
                  else [(channels, 3, stride), (channels, 3, 1)])

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels of the last convolution]."""
    out, last = x, len(self.convs) - 1
    for c, conv in enumerate(self.convs):
      out = _conv(*conv, f'conv{c}')(out)
      # The branch starts at zero.
      out = self.norm(f'norm{c}', scale_init=float(c < last))(out, mode)
      out = jax.nn.relu(out) if c < last else out
    if self.stride > 1 or x.shape[-1] != out.shape[-1]:
      x = _conv(out.shape[-1], 1, self.stride, 'shortcut')(x)
      x = self.norm('shortcut_norm')(x, mode)
    return jax.nn.relu(x + out)


class ResNet(hk.Module):
  """Stem, stages of blocks at strides 1, 2, 2, ..., mean over the map, linear."""

  def __init__(self, num_classes: int, *, stem: int, large: bool, channels: Sequence[int],
               depths: Sequence[int], bottleneck: bool, norm: norms.Maker):
    """Makes the network.

    Args:
      num_classes: K.
      stem: channels of the stem.
      large: whether the stem is a 7x7 convolution and a pool, both strided, else 3x3.
      channels: of each stage, inside its blocks.
      depths: blocks of each stage.
      bottleneck: as of Variant.
      norm: makes the norms.
    """
    super().__init__(name='resnet')
    self.num_classes, self.stem, self.large, self.norm = num_classes, stem, large, norm
    self.channels, self.depths, self.bottleneck = channels, depths, bottleneck

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    x = _conv(self.stem, *((7, 2) if self.large else (3, 1)), 'stem')(x)
    x = jax.nn.relu(self.norm('stem_norm')(x, mode))
    if self.large:
      x = layers.max_pool(x, 3, 2, 1)
    for stage, (channels, depth) in enumerate(zip(self.channels, self.depths, strict=True)):
      for block in range(depth):
        stride = 2 if stage and not block else 1
        name = f'stage{stage}_block{block}'
        x = _Block(channels, stride, self.bottleneck, self.norm, name)(x, mode)
    features = x.mean((1, 2))
    linear = layers.Linear(self.num_classes, hk.initializers.RandomNormal(0.01), name='linear')
    return model.Outputs(linear(features).astype(jnp.float32), features={'features': features})


def create(variant: str, num_classes: int, *, width: int = 64, norm: str = 'batch()'
           ) -> model.Model:
  """Returns a ResNet for ImageNet.

  Args:
    variant: one of VARIANTS.
    num_classes: K.
    width: channels of the stem and inside the first stage; each of the next has twice as many.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: no channels, or a norm that cannot be read.
  """
  facts = VARIANTS[variant]
  return _model(variant, num_classes, 224, norm, width, stem=width, large=True,
                channels=[width * 2 ** stage for stage in range(4)], depths=facts.depths,
                bottleneck=facts.bottleneck)


def create_cifar(num_classes: int, *, depth: int = 44, width: int = 16, norm: str = 'batch()'
                 ) -> model.Model:
  """Returns a ResNet for CIFAR: three stages of 32, 16 and 8 pixels a side.

  Args:
    num_classes: K.
    depth: 6 b + 2 for b blocks in a stage.
    width: channels of the stem and of the first stage; each of the next has twice as many.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a depth of another form, no channels, or a norm that cannot be read.
  """
  if depth < 8 or (depth - 2) % 6:
    raise errors.ConfigError(f'model.depth={depth}; allowed: 8, 14, 20, 26, ... (6 b + 2)')
  return _model('resnet_cifar', num_classes, 32, norm, width, stem=width, large=False,
                channels=(width, 2 * width, 4 * width), depths=((depth - 2) // 6,) * 3,
                bottleneck=False)


def create_wide(num_classes: int, *, depth: int = 28, width: int = 10, norm: str = 'batch()'
                ) -> model.Model:
  """Returns WRN-depth-width with the blocks of this file: the norm stands behind its convolution.

  Args:
    num_classes: K.
    depth: 6 b + 4 for b blocks in a stage, the first shortcut of each counted as a layer.
    width: times 16, 32 and 64 channels, on a stem of 16.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a depth of another form, no channels, or a norm that cannot be read.
  """
  if depth < 10 or (depth - 4) % 6:
    raise errors.ConfigError(f'model.depth={depth}; allowed: 10, 16, 22, 28, ... (6 b + 4)')
  return _model('wide_resnet_postact', num_classes, 32, norm, width, stem=16, large=False,
                channels=(16 * width, 32 * width, 64 * width), depths=((depth - 4) // 6,) * 3,
                bottleneck=False)


def _model(name, num_classes, size, norm, width, **structure) -> model.Model:
  if width < 1:
    raise errors.ConfigError(f'model.width={width}; allowed: a whole number from 1 up')
  maker = norms.parse(norm)
  return model.from_module(
      lambda: ResNet(num_classes, norm=maker, **structure), name=name, num_classes=num_classes,
      train_size=size, test_size=size, head='resnet/linear')
