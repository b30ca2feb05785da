"""A few residual blocks with a norm, for tests: the least that has batch statistics."""

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms


class ResNetTiny(hk.Module):
  """Stem, two blocks of 8 channels, the second strided, mean over the map, linear."""

  def __init__(self, num_classes: int, norm: norms.Maker):
    super().__init__(name='resnet_tiny')
    self.num_classes, self.norm = num_classes, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    x = layers.Conv2D(8, 3, with_bias=False, name='stem')(x)
    x = jax.nn.relu(self.norm('stem_norm')(x, mode))
    for block, stride in enumerate((1, 2)):
      shortcut = x[:, ::stride, ::stride]
      x = layers.Conv2D(8, 3, stride, with_bias=False, name=f'block{block}_conv0')(x)
      x = jax.nn.relu(self.norm(f'block{block}_norm0')(x, mode))
      x = layers.Conv2D(8, 3, with_bias=False, name=f'block{block}_conv1')(x)
      # The branch starts at zero.
      x = jax.nn.relu(shortcut + self.norm(f'block{block}_norm1', scale_init=0.0)(x, mode))
    features = x.mean((1, 2))
    logits = layers.Linear(self.num_classes, name='linear')(features).astype(jnp.float32)
    return model.Outputs(logits, features={'features': features})


def create(num_classes: int, *, norm: str = 'batch()') -> model.Model:
  """Returns the model.

  Args:
    num_classes: K.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a norm that cannot be read.
  """
  maker = norms.parse(norm)
  return model.from_module(
      lambda: ResNetTiny(num_classes, maker), name='resnet_tiny', num_classes=num_classes,
      train_size=28, test_size=28, head='resnet_tiny/linear')
