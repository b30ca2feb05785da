"""ShuffleNetV2 for small images (Ma et al. 2018; Summers 2021, ch. 5, at half the channels).

A 3x3 stem without stride or pool, three stages that halve the map and double the channels, a 1x1
convolution, the mean over the map, a linear. An ordinary block leaves half of its channels as they
are; a strided one makes both halves of all of its input. Either ends in a shuffle that lays the two
halves' channels between each other. Weights start as torch starts them. With 10 classes and 48
channels in the first stage it has 352,042 parameters.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

_STEM = 24
# Ordinary blocks behind the strided one of each stage.
_BLOCKS = (3, 7, 3)


class _Branch(hk.Module):
  """1x1, depthwise 3x3, 1x1 convolutions, each with a norm; ReLUs behind those of 1x1."""

  def __init__(self, channels: int, stride: int, norm: norms.Maker, name: str, *,
               expands: bool = True):
    """Makes the branch; `expands` is whether it has the first of the three."""
    super().__init__(name=name)
    self.channels, self.stride, self.norm, self.expands = channels, stride, norm, expands

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels]."""
    if self.expands:
      x = jax.nn.relu(self.norm('norm0')(_conv(self.channels, 1, 'conv0')(x), mode))
    x = layers.Conv2D(x.shape[-1], 3, self.stride, with_bias=False, name='depthwise',
                      padding=layers.around(3), groups=x.shape[-1], w_init=layers.TORCH)(x)
    x = self.norm('depthwise_norm')(x, mode)
    return jax.nn.relu(self.norm('norm1')(_conv(self.channels, 1, 'conv1')(x), mode))


def _conv(channels: int, kernel: int, name: str) -> layers.Conv2D:
  return layers.Conv2D(channels, kernel, with_bias=False, name=name, w_init=layers.TORCH)


def _shuffle(a: jax.Array, b: jax.Array) -> jax.Array:
  """Returns channels a0, b0, a1, b1, ... of two maps [B, H, W, C]."""
  return jnp.stack([a, b], axis=-1).reshape((*a.shape[:-1], -1))


class ShuffleNetV2(hk.Module):
  """Stem, stages, 1x1 convolution, mean over the map, linear."""

  def __init__(self, num_classes: int, width: int, last: int, norm: norms.Maker):
    super().__init__(name='shufflenet_v2')
    self.num_classes, self.width, self.last, self.norm = num_classes, width, last, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]; its stages are features by name."""
    found = {}
    x = jax.nn.relu(self.norm('stem_norm')(_conv(_STEM, 3, 'stem')(x), mode))
    for stage, blocks in enumerate(_BLOCKS):
      half = self.width * 2 ** stage // 2
      name = f'stage{stage}'
      x = _shuffle(_Branch(half, 2, self.norm, f'{name}_shortcut', expands=False)(x, mode),
                   _Branch(half, 2, self.norm, f'{name}_block0')(x, mode))
      for block in range(1, blocks + 1):
        kept, x = jnp.split(x, 2, axis=-1)
        x = _shuffle(kept, _Branch(half, 1, self.norm, f'{name}_block{block}')(x, mode))
      found[name] = x
    x = jax.nn.relu(self.norm('last_norm')(_conv(self.last, 1, 'last')(x), mode))
    found['features'] = x.mean((1, 2))
    linear = layers.Linear(self.num_classes, layers.TORCH, name='linear', b_init=layers.torch_bias)
    return model.Outputs(linear(found['features']).astype(jnp.float32), features=found)


def create(num_classes: int, *, width: int = 48, last: int = 1024, norm: str = 'batch()'
           ) -> model.Model:
  """Returns the model.

  Args:
    num_classes: K.
    width: channels of the first stage, even; each of the next has twice as many.
    last: channels of the last convolution.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: channels that cannot be halved, or none, or a norm that cannot be read.
  """
  if width < 2 or width % 2:
    raise errors.ConfigError(f'model.width={width}; allowed: an even number from 2 up')
  model.check_sizes(last=last)
  maker = norms.parse(norm)
  return model.from_module(
      lambda: ShuffleNetV2(num_classes, width, last, maker), name='shufflenet_v2',
      num_classes=num_classes, train_size=32, test_size=32, head='shufflenet_v2/linear')
