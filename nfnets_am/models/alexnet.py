"""AlexNet with batch norm, the network of the public code of Hoffer et al. 2020.

The narrower one of Krizhevsky 2014 without groups, and with a norm in every layer but the last. The
first convolution is followed by pool, norm, ReLU, the others by (pool,) ReLU, norm, and the two
hidden layers by norm, ReLU. None of them has a bias, and all weights start as torch starts them.
With 1000 classes and 224 pixels it has 61,110,184 parameters.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

# A pixel is left after the first stride and three pools.
_SMALLEST = 63


def _conv(number: int, channels: int, kernel: int, stride: int, padding: layers.Padding
          ) -> layers.Conv2D:
  return layers.Conv2D(channels, kernel, stride, with_bias=False, name=f'conv{number}',
                       padding=padding, w_init=layers.TORCH)


class AlexNet(hk.Module):
  """Five convolutions, three of them with a pool, two hidden layers, linear."""

  def __init__(self, num_classes: int, *, width: int, hidden: int, dropout: float,
               norm: norms.Maker):
    super().__init__(name='alexnet')
    self.num_classes, self.width, self.hidden = num_classes, width, hidden
    self.dropout, self.norm = dropout, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    if min(x.shape[1:3]) < _SMALLEST:
      raise errors.ConfigError(
          f'images of {x.shape[1]}x{x.shape[2]} pixels for alexnet; allowed: from '
          f'{_SMALLEST}x{_SMALLEST} up')
    x = _conv(0, self.width, 11, 4, ((2, 2), (2, 2)))(x)
    x = jax.nn.relu(self.norm('norm0')(layers.max_pool(x, 3, 2), mode))
    for number, (channels, kernel, pooled) in enumerate(
        [(3, 5, True), (6, 3, False), (4, 3, False), (4, 3, True)], 1):
      x = _conv(number, channels * self.width, kernel, 1, layers.around(kernel))(x)
      x = layers.max_pool(x, 3, 2) if pooled else x
      x = self.norm(f'norm{number}')(jax.nn.relu(x), mode)
    x = x.reshape(len(x), -1)
    for number in range(2):
      name = f'hidden{number}'
      x = layers.Linear(self.hidden, layers.TORCH, name, with_bias=False)(x)
      features = jax.nn.relu(self.norm(f'{name}_norm')(x, mode))
      x = layers.dropout(features, self.dropout, mode.is_training)
    linear = layers.Linear(self.num_classes, layers.TORCH, 'linear', b_init=layers.torch_bias)
    return model.Outputs(linear(x).astype(jnp.float32), features={'features': features})


def create(num_classes: int, *, width: int = 64, hidden: int = 4096, dropout: float = 0.5,
           norm: str = 'batch()') -> model.Model:
  """Returns the model.

  Args:
    num_classes: K.
    width: channels of the first convolution; the others have 3, 6, 4 and 4 times as many.
    hidden: width of each of the two hidden layers.
    dropout: rate behind each of them, in [0, 1).
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a width or a rate out of its range, or a norm that cannot be read.
  """
  model.check_sizes(width=width, hidden=hidden)
  model.check_rates(dropout=dropout)
  maker = norms.parse(norm)
  return model.from_module(
      lambda: AlexNet(num_classes, width=width, hidden=hidden, dropout=dropout, norm=maker),
      name='alexnet', num_classes=num_classes, train_size=224, test_size=224,
      head='alexnet/linear')
