"""Inception-v3 (Szegedy et al. 2016, arXiv:1512.00567), the graph that TF-slim made public.

Every convolution is followed by a norm and a ReLU. With 1000 classes and 299 pixels it has
23,834,568 parameters, and 27,161,264 with the auxiliary head, as in torchvision. Where the two
public codes differ this is TF-slim's, in which Summers 2021 trains it on Caltech-256: the average
pools of the blocks leave padding out of the mean, weights start as truncated normals, dropout is
0.2 and the moving statistics have the decay 0.9997. TF-slim's norms have no scale; ours, as
torchvision's, have one.
"""

from collections.abc import Callable
import dataclasses
import functools

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

# With fewer pixels nothing is left for the last convolution that is not padded.
_SMALLEST = 75

_HE_TRUNCATED = hk.initializers.VarianceScaling(2.0, 'fan_in', 'truncated_normal')


@dataclasses.dataclass(frozen=True)
class Conv:
  """A convolution of the table below, its norm and its ReLU."""

  channels: int
  kernel: int | tuple[int, int] = 1
  stride: int = 1
  padding: str = 'SAME'


def _reduce(channels: int) -> Conv:
  return Conv(channels, 3, 2, 'VALID')


# What a step of a branch is: a convolution, a pool, or convolutions side by side.
Step = Conv | str | list[Conv]
_ACROSS, _DOWN = (1, 7), (7, 1)
_FORK = [Conv(384, (1, 3)), Conv(384, (3, 1))]


def _block_35(pooled: int) -> list[list[Step]]:
  return [[Conv(64)], [Conv(48), Conv(64, 5)], [Conv(64), Conv(96, 3), Conv(96, 3)],
          ['average', Conv(pooled)]]


def _block_17(inside: int) -> list[list[Step]]:
  return [[Conv(192)],
          [Conv(inside), Conv(inside, _ACROSS), Conv(192, _DOWN)],
          [Conv(inside), Conv(inside, _DOWN), Conv(inside, _ACROSS), Conv(inside, _DOWN),
           Conv(192, _ACROSS)],
          ['average', Conv(192)]]


_BLOCK_8 = [[Conv(320)], [Conv(384), _FORK], [Conv(448), Conv(384, 3), _FORK],
            ['average', Conv(192)]]

_STEM = [Conv(32, 3, 2, 'VALID'), Conv(32, 3, 1, 'VALID'), Conv(64, 3), 'max',
         Conv(80, 1), Conv(192, 3, 1, 'VALID'), 'max']

# The branches of each block, under TF-slim's names; 35, 17 and 8 are the sides of the maps of an
# image of 299 pixels.
_BLOCKS = {
    'mixed_5b': _block_35(32),
    'mixed_5c': _block_35(64),
    'mixed_5d': _block_35(64),
    'mixed_6a': [[_reduce(384)], [Conv(64), Conv(96, 3), _reduce(96)], ['max']],
    'mixed_6b': _block_17(128),
    'mixed_6c': _block_17(160),
    'mixed_6d': _block_17(160),
    'mixed_6e': _block_17(192),
    'mixed_7a': [[Conv(192), _reduce(320)],
                 [Conv(192), Conv(192, _ACROSS), Conv(192, _DOWN), _reduce(192)], ['max']],
    'mixed_7b': _BLOCK_8,
    'mixed_7c': _BLOCK_8,
}
# After which the second head stands.
_AUXILIARY = 'mixed_6e'

_POOLS = {
    'average': lambda x: layers.average_pool(x, 3, 1, 1),
    'average_padded': lambda x: layers.average_pool(x, 3, 1, 1, count_padding=True),
    'max': lambda x: layers.max_pool(x, 3, 2),
}


class _Unit(hk.Module):
  """conv, norm, relu; at least 16 channels are left of `width` times as many."""

  def __init__(self, norm: norms.Maker, width: float, conv: Conv, name: str,
               w_init: hk.initializers.Initializer = _HE_TRUNCATED):
    super().__init__(name=name)
    self.norm, self.w_init = norm, w_init
    self.conv = conv if width == 1 else dataclasses.replace(
        conv, channels=max(16, int(width * conv.channels)))

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    x = layers.Conv2D(self.conv.channels, self.conv.kernel, self.conv.stride, with_bias=False,
                      name='conv', padding=self.conv.padding, w_init=self.w_init)(x)
    return jax.nn.relu(self.norm('norm')(x, mode))


# Makes a unit of a Conv, a name and, where it is another, the law of its first weights.
UnitMaker = Callable[..., _Unit]


class _Mixed(hk.Module):
  """Branches on the same input, whose channels are put side by side."""

  def __init__(self, branches: list[list[Step]], unit: UnitMaker, name: str):
    super().__init__(name=name)
    self.branches, self.unit = branches, unit

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    outs = [_run(branch, x, mode, self.unit, f'branch{b}_')
            for b, branch in enumerate(self.branches)]
    return jnp.concatenate(outs, -1)


def _run(steps: list[Step], x: jax.Array, mode: model.Mode, unit: UnitMaker,
        prefix: str) -> jax.Array:
  """Takes the steps one after the other; `unit` makes one of a Conv and a name."""
  for s, step in enumerate(steps):
    name = f'{prefix}{s}'
    if isinstance(step, Conv):
      x = unit(step, name)(x, mode)
    elif isinstance(step, str):
      x = _POOLS[step](x)
    else:
      x = jnp.concatenate(
          [unit(conv, f'{name}_{c}')(x, mode) for c, conv in enumerate(step)], -1)
  return x


class _Auxiliary(hk.Module):
  """Mean over windows of 5x5, 1x1, 5x5 without padding, linear.

  Maps of less than 17x17 have smaller windows and a smaller kernel, as in TF-slim.
  """

  def __init__(self, num_classes: int, unit: UnitMaker):
    super().__init__(name='auxiliary')
    self.num_classes, self.unit = num_classes, unit

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to logits float32 [B, K]."""
    x = layers.average_pool(x, _within(x), 3)
    x = self.unit(Conv(128), 'unit0')(x, mode)
    x = self.unit(Conv(768, _within(x), 1, 'VALID'), 'unit1',
                  hk.initializers.TruncatedNormal(0.01))(x, mode)
    linear = layers.Linear(self.num_classes, hk.initializers.TruncatedNormal(0.001), name='linear')
    return linear(x.mean((1, 2))).astype(jnp.float32)


def _within(x: jax.Array) -> tuple[int, int]:
  return min(5, x.shape[1]), min(5, x.shape[2])


class InceptionV3(hk.Module):
  """Stem, eleven blocks, mean over the map, dropout, linear; a head on the way, in training."""

  def __init__(self, num_classes: int, *, auxiliary: bool, dropout: float, width: float,
               count_padding: bool, norm: norms.Maker):
    super().__init__(name='inception_v3')
    self.num_classes, self.auxiliary, self.dropout = num_classes, auxiliary, dropout
    self.average = 'average_padded' if count_padding else 'average'
    self.unit = functools.partial(_Unit, norm, width)

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K], in training auxiliary ones too."""
    if min(x.shape[1:3]) < _SMALLEST:
      raise errors.ConfigError(
          f'images of {x.shape[1]}x{x.shape[2]} pixels for inception_v3; allowed: from '
          f'{_SMALLEST}x{_SMALLEST} up')
    x = _run(_STEM, x, mode, self.unit, 'stem')
    auxiliary = {}
    for name, branches in _BLOCKS.items():
      branches = [[self.average if step == 'average' else step for step in branch]
                  for branch in branches]
      x = _Mixed(branches, self.unit, name)(x, mode)
      if name == _AUXILIARY and self.auxiliary and mode.is_training:
        auxiliary[name] = _Auxiliary(self.num_classes, self.unit)(x, mode)
    features = x.mean((1, 2))
    x = layers.dropout(features, self.dropout, mode.is_training)
    logits = layers.Linear(self.num_classes, _HE_TRUNCATED, name='linear')(x)
    return model.Outputs(logits.astype(jnp.float32), auxiliary, {'features': features})


def create(num_classes: int, *, auxiliary: bool = True, dropout: float = 0.2, width: float = 1.0,
           count_padding: bool = False, norm: str = 'batch(decay=0.9997, eps=0.001)'
           ) -> model.Model:
  """Returns the model.

  Args:
    num_classes: K.
    auxiliary: whether there is a second head, whose logits are there in training only. It learns
      where the objective gives auxiliary logits a weight; Szegedy et al. 2016 take 0.4 in TF-slim.
    dropout: rate before the final linear, in [0, 1).
    width: factor of the channels of every convolution, of which at least 16 are left; 1 as
      published.
    count_padding: whether padding counts as zeros in the blocks' means, as it does in torchvision
      and timm; false as in TF-slim.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a rate or a factor out of its range, or a norm that cannot be read.
  """
  model.check_rates(dropout=dropout)
  if not 0 < width < float('inf'):
    raise errors.ConfigError(f'model.width={width}; allowed: above 0')
  maker = norms.parse(norm)
  return model.from_module(
      lambda: InceptionV3(num_classes, auxiliary=auxiliary, dropout=dropout, width=width,
                          count_padding=count_padding, norm=maker),
      name='inception_v3', num_classes=num_classes, train_size=299, test_size=299,
      head='inception_v3/linear',
      auxiliary_heads=('inception_v3/auxiliary/linear',) if auxiliary else ())
