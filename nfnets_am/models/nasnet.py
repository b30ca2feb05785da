"""NASNet-A Large (Zoph et al. 2018, arXiv:1707.07012), the network of six cells a stage at 4032.

The graph that TF-slim made public: padding is 'SAME' and no part of a mean, the cell behind a
halving sees the last but one before it. With 1000 classes and 331 pixels it has 88,753,150
parameters. The auxiliary head and the dropped paths of its training are left out: Summers 2021
takes it as it was published.
"""

import functools

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import cells as cells_lib
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

# As of models/cells.py: state 0 is the cell before the last, 1 the last.
_NORMAL = cells_lib.Plan(
    ((('separable5', 1), ('separable3', 0)),
     (('separable5', 0), ('separable3', 0)),
     (('average', 1), ('skip', 0)),
     (('average', 0), ('average', 0)),
     (('separable3', 1), ('skip', 1))), joined=(0, 2, 3, 4, 5, 6))
_REDUCTION = cells_lib.Plan(
    ((('separable5', 1), ('separable7', 0)),
     (('max', 1), ('separable7', 0)),
     (('average', 1), ('separable5', 0)),
     (('skip', 3), ('average', 2)),
     (('separable3', 2), ('max', 1))), joined=(3, 4, 5, 6))
_HE_TRUNCATED = hk.initializers.VarianceScaling(2.0, 'fan_in', 'truncated_normal')


def _conv(channels: int, kernel: int, name: str, stride: int = 1, groups: int = 1,
          padding: str = 'SAME') -> layers.Conv2D:
  return layers.Conv2D(channels, kernel, stride, with_bias=False, name=name, padding=padding,
                       groups=groups, w_init=_HE_TRUNCATED)


class _Enter(hk.Module):
  """relu, 1x1, norm; onto half the map, two 1x1 of every second pixel, the other one's shifted."""

  def __init__(self, channels: int, halve: bool, norm: norms.Maker, name: str):
    super().__init__(name=name)
    self.channels, self.halve, self.norm = channels, halve, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H, W, channels], or to half of H and W, rounded up."""
    x = jax.nn.relu(x)
    if self.halve:
      shifted = jnp.pad(x[:, 1:, 1:], ((0, 0), (0, 1), (0, 1), (0, 0)))
      x = jnp.concatenate([_conv(self.channels // 2, 1, f'conv{number}')(part[:, ::2, ::2])
                           for number, part in enumerate((x, shifted))], -1)
      return self.norm('norm_of_both')(x, mode)
    return self.norm('norm')(_conv(self.channels, 1, 'conv')(x), mode)


class _Edge(hk.Module):
  """One of the operations of a cell; means, maxima and skips keep the channels."""

  def __init__(self, kind: str, stride: int, name: str, *, channels: int, count_padding: bool,
               norm: norms.Maker):
    super().__init__(name=name)
    self.kind, self.stride, self.channels, self.norm = kind, stride, channels, norm
    self.count_padding = count_padding and stride > 1

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, channels]."""
    if self.kind == 'skip':
      return x
    if self.kind == 'max':
      return layers.max_pool(x, 3, self.stride, 'SAME')
    if self.kind == 'average':
      return layers.average_pool(x, 3, self.stride, 'SAME', count_padding=self.count_padding)
    kernel = int(self.kind.removeprefix('separable'))
    for number, stride in enumerate((self.stride, 1)):
      x = _conv(x.shape[-1], kernel, f'depthwise{number}', stride, x.shape[-1])(jax.nn.relu(x))
      x = self.norm(f'norm{number}')(_conv(self.channels, 1, f'pointwise{number}')(x), mode)
    return x


class _Cell(hk.Module):
  """Two inputs, five sums of two operations each, some of the states side by side."""

  def __init__(self, plan: cells_lib.Plan, channels: int, count_padding: bool, norm: norms.Maker,
               name: str):
    super().__init__(name=name)
    self.plan, self.channels, self.norm = plan, channels, norm
    self.stride = 2 if plan is _REDUCTION else 1
    self.edge = functools.partial(_Edge, channels=channels, count_padding=count_padding, norm=norm)

  def __call__(self, before: jax.Array | None, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps the outputs of two cells; None before the first: its own input, as it is."""
    if before is None:
      first = x
    else:
      first = _Enter(self.channels, before.shape[1] > x.shape[1], self.norm, 'enter0')(before, mode)
    states = [first, _Enter(self.channels, False, self.norm, 'enter1')(x, mode)]
    for s, edges in enumerate(self.plan.edges):
      left, right = (
          self.edge(kind, self.stride if source < 2 else 1, f'sum{s}_{e}')(states[source], mode)
          for e, (kind, source) in enumerate(edges))
      states.append(left + right)
    return jnp.concatenate([states[s] for s in self.plan.joined], -1)


class NASNet(hk.Module):
  """Stem, two halving cells, three stages of cells with halving ones between, mean, linear."""

  def __init__(self, num_classes: int, *, filters: int, cells: int, stem: int, dropout: float,
               count_padding: bool, norm: norms.Maker):
    """Makes the network; see `create`."""
    super().__init__(name='nasnet')
    self.num_classes, self.filters, self.cells, self.stem = num_classes, filters, cells, stem
    self.dropout, self.count_padding, self.norm = dropout, count_padding, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K]."""
    def cell(plan, times, name):
      return _Cell(plan, int(times * self.filters), self.count_padding, self.norm, name)

    x = _conv(self.stem, 3, 'stem', 2, padding='VALID')(x)
    x = self.norm('stem_norm')(x, mode)
    before, x = x, cell(_REDUCTION, 1 / 4, 'stem0')(None, x, mode)
    before, x = x, cell(_REDUCTION, 1 / 2, 'stem1')(before, x, mode)
    for stage in range(3):
      if stage:
        # What is before the halving cell is before the next one, too.
        x = cell(_REDUCTION, 2 ** stage, f'reduction{stage - 1}')(before, x, mode)
      for number in range(stage * self.cells, (stage + 1) * self.cells):
        before, x = x, cell(_NORMAL, 2 ** stage, f'cell{number}')(before, x, mode)
    features = jax.nn.relu(x).mean((1, 2))
    x = layers.dropout(features, self.dropout, mode.is_training)
    logits = layers.Linear(self.num_classes, name='linear')(x)
    return model.Outputs(logits.astype(jnp.float32), features={'features': features})


def create(num_classes: int, *, filters: int = 168, cells: int = 6, stem: int = 96,
           dropout: float = 0.5, count_padding: bool = False,
           norm: str = 'batch(decay=0.9997, eps=0.001)') -> model.Model:
  """Returns the model.

  Args:
    num_classes: K.
    filters: of the cells of the first stage, a multiple of 4; the features are 24 times as many.
    cells: that keep the map's size, in each of three stages.
    stem: channels of the stem.
    dropout: rate before the linear, in [0, 1).
    count_padding: whether padding counts as zeros in the strided means, as it does in timm, for
      which its weights were converted; false as published.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a number out of its range, or a norm that cannot be read.
  """
  if filters < 4 or filters % 4:
    raise errors.ConfigError(f'model.filters={filters}; allowed: 4, 8, 12, ...')
  model.check_sizes(cells=cells, stem=stem)
  model.check_rates(dropout=dropout)
  maker = norms.parse(norm)
  return model.from_module(
      lambda: NASNet(num_classes, filters=filters, cells=cells, stem=stem, dropout=dropout,
                     count_padding=count_padding, norm=maker),
      name='nasnet_a_large', num_classes=num_classes, train_size=331, test_size=331,
      head='nasnet/linear')
