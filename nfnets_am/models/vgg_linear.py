"""VGG-11 with norms and a single linear on top, for small images (Summers 2021, ch. 5).

The eight 3x3 convolutions of Simonyan and Zisserman 2015's configuration A, each with a bias and a
norm before its ReLU, and a pool after the first, second, fourth, sixth and eighth, which halve
images of 32 pixels to one. Weights and biases start as torch starts them. With 10 classes it has
9,231,114 parameters.
"""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

# Of each convolution: channels as multiples of the first one's, and whether a pool follows.
_CONVS = ((1, True), (2, True), (4, False), (4, True), (8, False), (8, True), (8, False), (8, True))
_POOLS = sum(pooled for _, pooled in _CONVS)


class VGGLinear(hk.Module):
  """Convolutions with norms and pools, linear."""

  def __init__(self, num_classes: int, width: int, norm: norms.Maker):
    super().__init__(name='vgg11_linear')
    self.num_classes, self.width, self.norm = num_classes, width, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]; what is pooled is a feature by name.

    Raises:
      ConfigError: images that the pools leave nothing of.
    """
    if min(x.shape[1:3]) < 2 ** _POOLS:
      raise errors.ConfigError(
          f'vgg11_linear halves images {_POOLS} times, and these have {x.shape[1]}x{x.shape[2]} '
          f'pixels; allowed: {2 ** _POOLS} or more')
    found = {}
    for i, (times, pooled) in enumerate(_CONVS):
      x = layers.Conv2D(times * self.width, 3, name=f'conv{i}', w_init=layers.TORCH,
                        b_init=layers.torch_bias)(x)
      x = jax.nn.relu(self.norm(f'norm{i}')(x, mode))
      if pooled:
        x = found[f'pool{len(found)}'] = layers.max_pool(x, 2, 2)
    found['features'] = x.reshape((len(x), -1))
    linear = layers.Linear(self.num_classes, layers.TORCH, name='linear', b_init=layers.torch_bias)
    return model.Outputs(linear(found['features']).astype(jnp.float32), features=found)


def create(num_classes: int, *, width: int = 64, norm: str = 'batch()') -> model.Model:
  """Returns the model.

  Args:
    num_classes: K.
    width: channels of the first convolution; the last have eight times as many.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: no channels, or a norm that cannot be read.
  """
  model.check_sizes(width=width)
  maker = norms.parse(norm)
  return model.from_module(
      lambda: VGGLinear(num_classes, width, maker), name='vgg11_linear', num_classes=num_classes,
      train_size=32, test_size=32, head='vgg11_linear/linear')
