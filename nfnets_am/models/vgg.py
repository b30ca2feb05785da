"""VGG for CIFAR (Simonyan and Zisserman 2015), as Hoffer et al. 2020 train it with batch norm.

Five stages of 3x3 convolutions, each with a norm and a ReLU, and a pool after every stage; then
512-4096-4096-K with dropout. Everything starts as torch starts it, and the convolutions keep their
biases before the norms, which decay acts on. With 10 classes a VGG-16 has 33,646,666 parameters,
with 100 it has 34,015,396.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

# Convolutions of each stage.
VARIANTS = {
    'vgg11': (1, 1, 2, 2, 2),
    'vgg13': (2, 2, 2, 2, 2),
    'vgg16': (2, 2, 3, 3, 3),
    'vgg19': (2, 2, 4, 4, 4),
}
# A pixel is left after five pools.
_SMALLEST = 32


class VGG(hk.Module):
  """Stages of convolutions and pools, two hidden layers, linear."""

  def __init__(self, num_classes: int, depths: tuple[int, ...], *, width: int, hidden: int,
               dropout: float, norm: norms.Maker):
    super().__init__(name='vgg')
    self.num_classes, self.depths, self.width = num_classes, depths, width
    self.hidden, self.dropout, self.norm = hidden, dropout, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    if min(x.shape[1:3]) < _SMALLEST:
      raise errors.ConfigError(
          f'images of {x.shape[1]}x{x.shape[2]} pixels for a VGG; allowed: from '
          f'{_SMALLEST}x{_SMALLEST} up')
    for stage, depth in enumerate(self.depths):
      channels = self.width * min(2 ** stage, 8)
      for conv in range(depth):
        name = f'stage{stage}_conv{conv}'
        x = layers.Conv2D(channels, 3, name=name, w_init=layers.TORCH, b_init=layers.torch_bias)(x)
        x = jax.nn.relu(self.norm(f'{name}_norm')(x, mode))
      x = layers.max_pool(x, 2, 2)
    x = x.reshape(len(x), -1)
    for number in range(2):
      features = jax.nn.relu(_linear(self.hidden, f'hidden{number}')(x))
      x = layers.dropout(features, self.dropout, mode.is_training)
    logits = _linear(self.num_classes, 'linear')(x).astype(jnp.float32)
    return model.Outputs(logits, features={'features': features})


def _linear(size: int, name: str) -> layers.Linear:
  return layers.Linear(size, layers.TORCH, name, b_init=layers.torch_bias)


def create(variant: str, num_classes: int, *, width: int = 64, hidden: int = 4096,
           dropout: float = 0.5, norm: str = 'batch()') -> model.Model:
  """Returns a VGG.

  Args:
    variant: one of VARIANTS.
    num_classes: K.
    width: channels of the first stage; the others have 2, 4, 8 and 8 times as many.
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
      lambda: VGG(num_classes, VARIANTS[variant], width=width, hidden=hidden, dropout=dropout,
                  norm=maker),
      name=variant, num_classes=num_classes, train_size=32, test_size=32, head='vgg/linear')
