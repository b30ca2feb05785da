"""The pre-activation ResNet-18 of Summers 2021, ch. 2, as its public code builds it.

The blocks of He et al. 2016b on a 3x3 stem without pooling. Three things tell it from others of
that name: there is no norm and no activation before the mean over the map, a strided convolution
is padded alike on all sides, and convolutions start with variance 1 / fan_in instead of He's 2 /
fan_in. With 10 classes it has 11,171,146 parameters.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

_STAGES, _BLOCKS = 4, 2


def _conv(channels: int, kernel: int, stride: int, name: str) -> layers.Conv2D:
  return layers.Conv2D(channels, kernel, stride, with_bias=False, name=name,
                       padding=layers.around(kernel), w_init=layers.FAN_IN)


class _Block(hk.Module):
  """norm, relu, conv, norm, relu, conv, plus the shortcut."""

  def __init__(self, channels: int, stride: int, norm: norms.Maker, name: str):
    super().__init__(name=name)
    self.channels, self.stride, self.norm = channels, stride, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels]."""
    out = jax.nn.relu(self.norm('norm0')(x, mode))
    shortcut = x
    if self.stride > 1 or x.shape[-1] != self.channels:
      shortcut = _conv(self.channels, 1, self.stride, 'shortcut')(out)
    out = _conv(self.channels, 3, self.stride, 'conv0')(out)
    out = jax.nn.relu(self.norm('norm1')(out, mode))
    return shortcut + _conv(self.channels, 3, 1, 'conv1')(out)


class PreactResNet(hk.Module):
  """Stem, four stages of two blocks at strides 1, 2, 2, 2, mean over the map, linear."""

  def __init__(self, num_classes: int, width: int, norm: norms.Maker):
    super().__init__(name='preact_resnet')
    self.num_classes, self.width, self.norm = num_classes, width, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    x = _conv(self.width, 3, 1, 'stem')(x)
    for stage in range(_STAGES):
      for block in range(_BLOCKS):
        stride = 2 if stage and not block else 1
        name = f'stage{stage}_block{block}'
        x = _Block(self.width * 2 ** stage, stride, self.norm, name)(x, mode)
    features = x.mean((1, 2))
    linear = layers.Linear(self.num_classes, layers.GLOROT_UNIFORM, name='linear')
    return model.Outputs(linear(features).astype(jnp.float32), features={'features': features})


def create(num_classes: int, *, width: int = 64, norm: str = 'batch(decay=0.99)') -> model.Model:
  """Returns the model.

  Args:
    num_classes: K.
    width: channels of the stem and of the first stage; each of the next has twice as many.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: no channels, or a norm that cannot be read.
  """
  model.check_sizes(width=width)
  maker = norms.parse(norm)
  return model.from_module(
      lambda: PreactResNet(num_classes, width, maker), name='preact_resnet_18',
      num_classes=num_classes, train_size=32, test_size=32, head='preact_resnet/linear')
