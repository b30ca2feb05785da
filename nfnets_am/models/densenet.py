"""DenseNet-BC for CIFAR (Huang et al. 2017), as Hoffer et al. 2020 train it.

A layer adds `growth` channels to all that came before it: norm, ReLU, 1x1 convolution to four times
as many, norm, ReLU, 3x3 convolution. Between two of the three blocks a 1x1 convolution halves the
channels and a mean halves the map. Convolutions start at variance 2 / fan_in, the head's weights as
torch's. DenseNet-BC-100-12 has 769,162 parameters with 10 classes and 800,032 with 100.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

_BLOCKS = 3


class _Unit(hk.Module):
  """norm, relu, conv."""

  def __init__(self, channels: int, kernel: int, norm: norms.Maker, name: str):
    super().__init__(name=name)
    self.channels, self.kernel, self.norm = channels, kernel, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H, W, channels]."""
    x = jax.nn.relu(self.norm('norm')(x, mode))
    return layers.Conv2D(self.channels, self.kernel, with_bias=False, name='conv')(x)


class DenseNet(hk.Module):
  """Stem, blocks of layers with transitions between them, norm, ReLU, mean, linear."""

  def __init__(self, num_classes: int, depth: int, growth: int, norm: norms.Maker):
    """Makes the network; `depth` is the layers of a block."""
    super().__init__(name='densenet')
    self.num_classes, self.depth, self.growth, self.norm = num_classes, depth, growth, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    x = layers.Conv2D(2 * self.growth, 3, with_bias=False, name='stem')(x)
    for block in range(_BLOCKS):
      for layer in range(self.depth):
        name = f'block{block}_layer{layer}'
        inside = _Unit(4 * self.growth, 1, self.norm, f'{name}_unit0')(x, mode)
        new = _Unit(self.growth, 3, self.norm, f'{name}_unit1')(inside, mode)
        x = jnp.concatenate([x, new], -1)
      if block < _BLOCKS - 1:
        x = _Unit(x.shape[-1] // 2, 1, self.norm, f'transition{block}')(x, mode)
        x = layers.average_pool(x, 2, 2)
    features = jax.nn.relu(self.norm('norm')(x, mode)).mean((1, 2))
    logits = layers.Linear(self.num_classes, layers.TORCH, 'linear')(features)
    return model.Outputs(logits.astype(jnp.float32), features={'features': features})


def create(num_classes: int, *, depth: int = 100, growth: int = 12, norm: str = 'batch()'
           ) -> model.Model:
  """Returns DenseNet-BC-depth-growth.

  Args:
    num_classes: K.
    depth: 6 b + 4 for b layers in each of three blocks.
    growth: channels that a layer adds; the stem has twice as many.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a depth of another form, no channels, or a norm that cannot be read.
  """
  if depth < 10 or (depth - 4) % 6:
    raise errors.ConfigError(f'model.depth={depth}; allowed: 10, 16, 22, 28, ... (6 b + 4)')
  model.check_sizes(growth=growth)
  maker = norms.parse(norm)
  return model.from_module(
      lambda: DenseNet(num_classes, (depth - 4) // 6, growth, maker), name='densenet_bc',
      num_classes=num_classes, train_size=32, test_size=32, head='densenet/linear')
