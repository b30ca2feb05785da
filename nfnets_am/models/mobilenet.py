"""MobileNet v1 (Howard et al. 2017), the network of the public code of Hoffer et al. 2020.

Pairs of a depthwise 3x3 and a 1x1 convolution, each with a norm and a ReLU. Depthwise convolutions
keep a bias before their norm. All start at variance 2 / fan_out, of which a depthwise convolution
has 9 for each channel; biases and the head as torch starts them. The last pair, which the paper's
table strides without making the map smaller, does not stride.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

# (channels, stride) of each pair, at width 1.
_PAIRS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2),
          (1024, 1))


class _Unit(hk.Module):
  """conv, norm, relu."""

  def __init__(self, channels: int, kernel: int, stride: int, norm: norms.Maker, name: str,
               depthwise: bool = False):
    super().__init__(name=name)
    self.norm = norm
    self.conv = dict(
        channels=channels, kernel=kernel, stride=stride, with_bias=depthwise, name='conv',
        padding=layers.around(kernel), groups=channels if depthwise else 1,
        w_init=layers.HE_FAN_OUT, b_init=layers.torch_bias)

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels]."""
    return jax.nn.relu(self.norm('norm')(layers.Conv2D(**self.conv)(x), mode))


class MobileNet(hk.Module):
  """Strided stem, pairs of convolutions, mean over the map, linear."""

  def __init__(self, num_classes: int, width: float, norm: norms.Maker):
    super().__init__(name='mobilenet')
    self.num_classes, self.width, self.norm = num_classes, width, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    x = _Unit(round(32 * self.width), 3, 2, self.norm, 'stem')(x, mode)
    for number, (channels, stride) in enumerate(_PAIRS):
      x = _Unit(x.shape[-1], 3, stride, self.norm, f'pair{number}_depthwise', True)(x, mode)
      x = _Unit(round(channels * self.width), 1, 1, self.norm, f'pair{number}_pointwise')(x, mode)
    features = x.mean((1, 2))
    linear = layers.Linear(self.num_classes, layers.TORCH, 'linear', b_init=layers.torch_bias)
    return model.Outputs(linear(features).astype(jnp.float32), features={'features': features})


def create(num_classes: int, *, width: float = 1.0, norm: str = 'batch()') -> model.Model:
  """Returns the model.

  Args:
    num_classes: K.
    width: factor of all channels.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a width that leaves no channel, or a norm that cannot be read.
  """
  if not 1 <= 32 * width < float('inf'):
    raise errors.ConfigError(f'model.width={width}; allowed: from 1/32 up')
  maker = norms.parse(norm)
  return model.from_module(
      lambda: MobileNet(num_classes, width, maker), name='mobilenet_v1', num_classes=num_classes,
      train_size=224, test_size=224, head='mobilenet/linear')
