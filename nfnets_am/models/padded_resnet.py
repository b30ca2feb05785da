"""ResNet-6, 10, 14 and 18 of Summers 2021, ch. 5, whose shortcuts are padded with zeros.

He et al. 2016a's basic blocks, two in a stage, on a 3x3 stem. Where a stage halves the map and
doubles the channels, the shortcut takes every second pixel, has a norm of its own, and is filled up
with channels of zeros (public code): it has no convolution. Convolutions start with variance
2 / fan_out, the last norm of every branch at scale 0. With 10 classes a ResNet-14 has 172,602
parameters.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

_BLOCKS = 2
# Name -> (stages, channels of the first; each of the next has twice as many).
VARIANTS = {
    'padded_resnet6': (1, 16),
    'padded_resnet10': (2, 16),
    'padded_resnet14': (3, 16),
    'padded_resnet18': (4, 64),
}


def _conv(channels: int, stride: int, name: str) -> layers.Conv2D:
  return layers.Conv2D(channels, 3, stride, with_bias=False, name=name, padding=layers.around(3),
                       w_init=layers.HE_FAN_OUT)


class _Block(hk.Module):
  """conv, norm, relu, conv, norm, plus the shortcut, relu."""

  def __init__(self, channels: int, stride: int, norm: norms.Maker, name: str):
    super().__init__(name=name)
    self.channels, self.stride, self.norm = channels, stride, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels], C or 2 C of them."""
    out = _conv(self.channels, self.stride, 'conv0')(x)
    out = jax.nn.relu(self.norm('norm0')(out, mode))
    out = _conv(self.channels, 1, 'conv1')(out)
    # The branch starts at zero.
    out = self.norm('norm1', scale_init=0.0)(out, mode)
    if self.stride > 1:
      x = self.norm('shortcut_norm')(x[:, ::self.stride, ::self.stride], mode)
      x = jnp.concatenate([x, jnp.zeros_like(x)], axis=-1)
    return jax.nn.relu(x + out)


class PaddedResNet(hk.Module):
  """Stem, stages of two blocks at strides 1, 2, 2, ..., mean over the map, linear."""

  def __init__(self, num_classes: int, stages: int, width: int, norm: norms.Maker):
    super().__init__(name='padded_resnet')
    self.num_classes, self.stages, self.width, self.norm = num_classes, stages, width, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]; its blocks are features by name."""
    found = {}
    x = _conv(self.width, 1, 'stem')(x)
    x = jax.nn.relu(self.norm('stem_norm')(x, mode))
    for stage in range(self.stages):
      for block in range(_BLOCKS):
        stride = 2 if stage and not block else 1
        name = f'stage{stage}_block{block}'
        x = found[name] = _Block(self.width * 2 ** stage, stride, self.norm, name)(x, mode)
    found['features'] = x.mean((1, 2))
    linear = layers.Linear(self.num_classes, layers.TORCH, name='linear', b_init=layers.torch_bias)
    return model.Outputs(linear(found['features']).astype(jnp.float32), features=found)


def create(variant: str, num_classes: int, *, width: int = 0, norm: str = 'batch()') -> model.Model:
  """Returns the model.

  Args:
    variant: one of VARIANTS.
    num_classes: K.
    width: channels of the stem and of the first stage; 0 is the variant's own.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a negative width, or a norm that cannot be read.
  """
  if width < 0:
    raise errors.ConfigError(f"model.width={width}; allowed: 1 or more, or 0 for the variant's own")
  stages, own = VARIANTS[variant]
  maker = norms.parse(norm)
  return model.from_module(
      lambda: PaddedResNet(num_classes, stages, width or own, maker), name=variant,
      num_classes=num_classes, train_size=32, test_size=32, head='padded_resnet/linear')
