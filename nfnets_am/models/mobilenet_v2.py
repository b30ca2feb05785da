"""MobileNet v2 (Sandler et al. 2018, arXiv:1801.04381).

A block widens, filters each channel and narrows again; a norm follows every convolution, a ReLU cut
at 6 all but the last of a block. With 1000 classes it has 3,504,872 parameters, as in torchvision
and timm, whose padding, alike on all sides, and whose first weights these are.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

# (factor that widens, channels, blocks, stride of the first) of each stage, at width 1.
_STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
           (6, 160, 3, 2), (6, 320, 1, 1))
_STEM, _LAST = 32, 1280
# Channels are multiples of it.
_MULTIPLE = 8


class _Unit(hk.Module):
  """conv, norm and, unless it is the last of a block, ReLU6."""

  def __init__(self, channels: int, kernel: int, norm: norms.Maker, name: str, *, stride: int = 1,
               depthwise: bool = False, bend: bool = True):
    super().__init__(name=name)
    self.norm, self.bend = norm, bend
    self.conv = dict(
        channels=channels, kernel=kernel, stride=stride, with_bias=False, name='conv',
        padding=layers.around(kernel), groups=channels if depthwise else 1,
        w_init=layers.HE_FAN_OUT)

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels]."""
    x = self.norm('norm')(layers.Conv2D(**self.conv)(x), mode)
    return jnp.clip(x, 0, 6) if self.bend else x


class _Block(hk.Module):
  """1x1 that widens, depthwise 3x3, 1x1 that narrows, plus the input where that fits."""

  def __init__(self, factor: int, channels: int, stride: int, norm: norms.Maker, name: str):
    super().__init__(name=name)
    self.factor, self.channels, self.stride, self.norm = factor, channels, stride, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels]."""
    out, inside = x, self.factor * x.shape[-1]
    if self.factor > 1:
      out = _Unit(inside, 1, self.norm, 'widen')(out, mode)
    out = _Unit(inside, 3, self.norm, 'depthwise', stride=self.stride, depthwise=True)(out, mode)
    out = _Unit(self.channels, 1, self.norm, 'narrow', bend=False)(out, mode)
    return x + out if self.stride == 1 and x.shape[-1] == self.channels else out


class MobileNetV2(hk.Module):
  """Strided stem, stages of blocks, a wide 1x1 unit, mean over the map, dropout, linear."""

  def __init__(self, num_classes: int, width: float, dropout: float, norm: norms.Maker):
    super().__init__(name='mobilenet_v2')
    self.num_classes, self.width, self.dropout, self.norm = num_classes, width, dropout, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    x = _Unit(_rounded(_STEM * self.width), 3, self.norm, 'stem', stride=2)(x, mode)
    for stage, (factor, channels, blocks, stride) in enumerate(_STAGES):
      for block in range(blocks):
        x = _Block(factor, _rounded(channels * self.width), 1 if block else stride, self.norm,
                   f'stage{stage}_block{block}')(x, mode)
    x = _Unit(max(_LAST, _rounded(_LAST * self.width)), 1, self.norm, 'last')(x, mode)
    features = x.mean((1, 2))
    x = layers.dropout(features, self.dropout, mode.is_training)
    linear = layers.Linear(self.num_classes, hk.initializers.RandomNormal(0.01), 'linear')
    return model.Outputs(linear(x).astype(jnp.float32), features={'features': features})


def _rounded(channels: float) -> int:
  """Returns the nearest multiple of 8, at least one; the next if it would take over a tenth off."""
  found = max(_MULTIPLE, int(channels + _MULTIPLE / 2) // _MULTIPLE * _MULTIPLE)
  return found if found >= 0.9 * channels else found + _MULTIPLE


def create(num_classes: int, *, width: float = 1.0, dropout: float = 0.2, norm: str = 'batch()'
           ) -> model.Model:
  """Returns the model.

  Args:
    num_classes: K.
    width: factor of all channels but the 1280 of the last unit, which only grow.
    dropout: rate before the linear, in [0, 1).
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a width or a rate out of its range, or a norm that cannot be read.
  """
  if not 0 < width < float('inf'):
    raise errors.ConfigError(f'model.width={width}; allowed: above 0')
  model.check_rates(dropout=dropout)
  maker = norms.parse(norm)
  return model.from_module(
      lambda: MobileNetV2(num_classes, width, dropout, maker), name='mobilenet_v2',
      num_classes=num_classes, train_size=224, test_size=224, head='mobilenet_v2/linear')
