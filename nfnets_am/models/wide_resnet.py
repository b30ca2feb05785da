"""Wide-ResNet-d-k with SkipInit and no normalisation (Fort et al. 2021, sec. 2).

The pre-activation blocks of Zagoruyko and Komodakis (2016) without batch normalisation: a
learnable scalar that starts at 0 stands on every residual branch (De and Smith 2020), so that the
network starts as its shortcuts. WRN-16-4 with 100 classes has 2,770,666 parameters.

The paper does not give the initialisers; here convolutions are He normal and the final linear is
not zero, since with zeros nothing but it would have a gradient at first.
"""

from collections.abc import Sequence

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model


class _Block(hk.Module):
  """act -> conv -> act -> conv, times a scalar that starts at 0, plus the shortcut."""

  def __init__(self, channels: int, stride: int, project: bool, name: str):
    super().__init__(name=name)
    self.channels, self.stride, self.project = channels, stride, project

  def __call__(self, x: jax.Array) -> jax.Array:
    out = jax.nn.relu(x)
    shortcut = x
    if self.project:
      shortcut = layers.Conv2D(self.channels, 1, self.stride, name='shortcut')(out)
    out = layers.Conv2D(self.channels, 3, self.stride, name='conv0')(out)
    out = layers.Conv2D(self.channels, 3, name='conv1')(jax.nn.relu(out))
    gain = hk.get_parameter('skip_gain', (), jnp.float32, jnp.zeros)
    return shortcut + gain.astype(out.dtype) * out


class WideResNet(hk.Module):
  """Stem, three groups of blocks at strides 1, 2, 2, mean over the map, dropout, linear."""

  def __init__(self, num_classes: int, *, blocks: int, stem: int, stem_stride: int,
               channels: Sequence[int], dropout: float, dropout_masks: int):
    super().__init__(name='wide_resnet')
    self.num_classes, self.blocks = num_classes, blocks
    self.stem, self.stem_stride = stem, stem_stride
    self.channels, self.dropout, self.dropout_masks = channels, dropout, dropout_masks

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K], or [M, B, K] with M dropout masks."""
    x = layers.Conv2D(self.stem, 3, self.stem_stride, name='stem')(x)
    for group, channels in enumerate(self.channels):
      for block in range(self.blocks):
        stride = 2 if group and not block else 1
        x = _Block(channels, stride, project=not block, name=f'group{group}_block{block}')(x)
    features = jax.nn.relu(x).mean((1, 2))
    x = layers.dropout(features, self.dropout, mode.is_training, self.dropout_masks)
    logits = layers.Linear(self.num_classes, name='linear')(x).astype(jnp.float32)
    return model.Outputs(logits, features={'features': features})


def create(
    num_classes: int, *, depth: int = 16, width: int = 4, stem_stride: int = 1,
    dropout: float = 0.0, dropout_masks: int = 1) -> model.Model:
  """Returns WRN-depth-width.

  Args:
    num_classes: K.
    depth: 6 b + 4 for b blocks in a group.
    width: times 16, 32 and 64 channels.
    stem_stride: of the first convolution. 2 is a quarter of the cost, for studies on a CPU; the
      paper's network has 1.
    dropout: rate before the final linear, in [0, 1); Fort et al. 2021, appendix D, take 0.4.
    dropout_masks: independent masks for each view, over whose losses is averaged. The network below
      the mask is computed once, so that the gradient is exact and next to free.

  Raises:
    ConfigError: a depth or a rate of another form, or masks without dropout.
  """
  if depth < 10 or (depth - 4) % 6:
    raise errors.ConfigError(f'model.depth={depth}; allowed: 10, 16, 22, 28, ... (6 b + 4)')
  model.check_sizes(width=width, stem_stride=stem_stride)
  return _model('wide_resnet', num_classes, (depth - 4) // 6, 16, stem_stride,
                tuple(width * c for c in (16, 32, 64)), dropout, dropout_masks)


def create_tiny(
    num_classes: int, *, dropout: float = 0.0, dropout_masks: int = 1) -> model.Model:
  """Returns the same structure with a few channels, for tests."""
  return _model('wide_resnet_tiny', num_classes, 1, 4, 1, (4, 6, 8), dropout,
                dropout_masks)


def _model(name, num_classes, blocks, stem, stem_stride, channels, dropout, dropout_masks
           ) -> model.Model:
  model.check_rates(dropout=dropout)
  if dropout_masks < 1 or (dropout_masks > 1 and not dropout):
    raise errors.ConfigError(
        f'model.dropout_masks={dropout_masks} with model.dropout={dropout}; allowed: 1, or more '
        'with a rate over 0')
  return model.from_module(
      lambda: WideResNet(
          num_classes, blocks=blocks, stem=stem, stem_stride=stem_stride, channels=channels,
          dropout=dropout, dropout_masks=dropout_masks),
      name=name, num_classes=num_classes, train_size=32, test_size=32,
      head='wide_resnet/linear')
