"""NFNets F0 to F7 and the wider F0+ to F7+ (Brock et al. 2021b, arXiv:2102.06171).

Normaliser-free residual networks with squeeze-and-excite: every block scales its input to unit
variance, adds alpha times its branch, and the branch starts at zero by its skip gain. Names and
shapes of all weights are those of the released parameter files.
"""

from collections.abc import Sequence
import dataclasses
import functools

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.models import layers
from nfnets_am.models import model

_ALPHA = 0.2


@dataclasses.dataclass(frozen=True)
class Variant:
  """What tells the family's members apart.

  Attributes:
    depths: blocks of the four stages.
    widths: channels of the four stages.
    train_size, test_size: pixels.
    dropout: before the final linear.
    randaugment: magnitude, with 4 ops.
    group_width: channels of a group in the 3x3 convolutions.
    stem: channels of the first three stem convolutions; the fourth has half the first width.
    stem_strides: of the first and the fourth.
  """

  depths: tuple[int, int, int, int]
  widths: tuple[int, int, int, int]
  train_size: int
  test_size: int
  dropout: float
  randaugment: int
  group_width: int = 128
  stem: tuple[int, int, int] = (16, 32, 64)
  stem_strides: tuple[int, int] = (2, 2)


def _family() -> dict[str, Variant]:
  sizes = ((192, 256, 0.2, 5), (224, 320, 0.3, 10), (256, 352, 0.4, 10), (320, 416, 0.4, 15),
           (384, 512, 0.5, 15), (416, 544, 0.5, 15), (448, 576, 0.5, 15), (480, 608, 0.5, 15))
  variants = {}
  for suffix, widths in (('', (256, 512, 1536, 1536)), ('plus', (384, 768, 2048, 2048))):
    for f, size in enumerate(sizes):
      depths = tuple(count * (f + 1) for count in (1, 2, 6, 3))
      variants[f'nfnet_f{f}{suffix}'] = Variant(depths, widths, *size)
  return variants


# nfnet_tiny has every part of the structure, for tests on images of about 28 pixels: first
# blocks of a stage, with and without a stride, and another.
VARIANTS = _family() | {
    'nfnet_tiny': Variant((1, 2, 0, 0), (16, 32, 32, 32), 28, 28, 0.2, 5, group_width=8,
                          stem=(4, 4, 8), stem_strides=(2, 1)),
}


class NFBlock(hk.Module):
  """act, 1x1, grouped 3x3 (strided), grouped 3x3, 1x1, squeeze-and-excite, skip gain."""

  def __init__(self, in_channels: int, channels: int, *, group_width: int, stride: int, beta: float,
               activation: str, stochastic_depth: float, name: str):
    super().__init__(name=name)
    self.beta, self.stride, self.rate = beta, stride, stochastic_depth
    self.activation = layers.ACTIVATIONS[activation]
    groups = channels // 2 // group_width
    width = groups * group_width
    self.conv0 = layers.WSConv2D(width, 1, name='conv0')
    self.conv1 = layers.WSConv2D(width, 3, stride, groups, name='conv1')
    self.conv1b = layers.WSConv2D(width, 3, 1, groups, name='conv1b')
    self.conv2 = layers.WSConv2D(channels, 1, name='conv2')
    self.shortcut = None
    if stride > 1 or in_channels != channels:
      self.shortcut = layers.WSConv2D(channels, 1, name='conv_shortcut')
    self.squeeze_excite = layers.SqueezeExcite(channels, channels // 2, name='squeeze_excite')

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    out = self.activation(x) * self.beta
    shortcut = x
    if self.shortcut:
      shortcut = out
      if self.stride > 1:
        shortcut = hk.avg_pool(shortcut, (1, 2, 2, 1), (1, 2, 2, 1), 'SAME')
      shortcut = self.shortcut(shortcut)
    out = self.conv0(out)
    out = self.conv1(self.activation(out))
    out = self.conv1b(self.activation(out))
    out = self.activation(out)
    # The channel means of conv2's output are conv2 of the means of its input, which are half the
    # bytes to read: conv2 is linear and looks at no neighbours.
    means = self.conv2(out.mean((1, 2), keepdims=True))
    out = self.conv2(out)
    # All that scales the branch, as one factor per example and channel: the maps are read once for
    # it, here and in the backward pass. The gates are near one half at first; the 2 keeps the
    # variance.
    gain = hk.get_parameter('skip_gain', (), jnp.float32, jnp.zeros)
    scale = 2 * _ALPHA * gain * self.squeeze_excite(means)
    scale = layers.stochastic_depth(scale, self.rate, mode.is_training)
    return scale.astype(out.dtype) * out + shortcut


class NFNet(hk.Module):
  """Stem of four 3x3 convolutions, four stages of blocks, 1x1 convolution, mean, linear."""

  def __init__(self, num_classes: int, variant: Variant, *, activation: str, dropout: float,
               stochastic_depth: float, remat: bool):
    super().__init__(name='NFNet')
    self.dropout, self.remat = dropout, remat
    self.activation = layers.ACTIVATIONS[activation]
    channels = variant.widths[0] // 2
    first, last = variant.stem_strides
    self.stem = [
        layers.WSConv2D(out, 3, stride, name=f'stem_conv{i}')
        for i, (out, stride) in enumerate(zip((*variant.stem, channels), (first, 1, 1, last),
                                              strict=True))]
    betas = layers.signal_betas(variant.depths, _ALPHA)
    self.blocks: list[NFBlock] = []
    for width, depth, stride in zip(variant.widths, variant.depths, (1, 2, 2, 2), strict=True):
      for block in range(depth):
        index = len(self.blocks)
        self.blocks.append(NFBlock(
            channels, width, group_width=variant.group_width, stride=1 if block else stride,
            beta=betas[index], activation=activation,
            stochastic_depth=stochastic_depth * index / len(betas),
            name=f'nf_block_{index}' if index else 'nf_block'))
        channels = width
    self.final_conv = layers.WSConv2D(2 * channels, 1, name='final_conv')
    self.linear = layers.Linear(num_classes, hk.initializers.RandomNormal(0.01), name='linear')

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    for i, conv in enumerate(self.stem):
      x = conv(self.activation(x) if i else x)
    x = run_blocks(self.blocks, x, mode, self.remat)
    features = self.activation(self.final_conv(x)).mean((1, 2))
    x = layers.dropout(features, self.dropout, mode.is_training)
    return model.Outputs(self.linear(x).astype(jnp.float32), features={'features': features})


def run_blocks(blocks: Sequence[hk.Module], x: jax.Array, mode: model.Mode,
               remat: bool) -> jax.Array:
  """Runs blocks in order; with `remat` each keeps only its input and computes again backwards."""
  for block in blocks:
    call = functools.partial(block, mode=mode)
    x = hk.remat(call)(x) if remat else call(x)
  return x


def create(variant: str, num_classes: int, *, activation: str = 'gelu',
           dropout: float | None = None, stochastic_depth: float = 0.25,
           remat: bool = False) -> model.Model:
  """Returns an NFNet.

  Args:
    variant: one of VARIANTS.
    num_classes: K.
    activation: 'gelu' as published, or 'relu'.
    dropout: rate before the final linear in [0, 1); None is the variant's.
    stochastic_depth: rate of the block after the last; block i of N has i / N of it.
    remat: recompute the inside of every block in the backward pass, to save memory.

  Raises:
    ConfigError: an unknown activation, or a rate outside [0, 1).
  """
  layers.ACTIVATIONS[activation]  # Refuses an unknown name.
  facts = VARIANTS[variant]
  dropout = facts.dropout if dropout is None else dropout
  model.check_rates(dropout=dropout, stochastic_depth=stochastic_depth)
  return model.from_module(
      lambda: NFNet(num_classes, facts, activation=activation, dropout=dropout,
                    stochastic_depth=stochastic_depth, remat=remat),
      name=variant, num_classes=num_classes, train_size=facts.train_size,
      test_size=facts.test_size, randaugment=facts.randaugment,
      head='NFNet/~/linear')
