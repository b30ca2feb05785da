"""Cells as architecture search finds them: sums of two operations each, some put side by side.

A cell sees the outputs of the two cells before it. Its operations are those of DARTS and AmoebaNet
in the public code of Hoffer et al. 2020; weights start as torch's, and means leave padding out.
"""

from collections.abc import Callable
import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms

# An operation and which state it takes: 0 and 1 are the cell's inputs, further ones the sums of two
# operations, in this order. Operations on the inputs are strided where the cell halves the map.
Edge = tuple[str, int]

# (x [B, H, W, C], stride, norm, mode) to [B, H / stride, W / stride, C].
Operation = Callable[[jax.Array, int, norms.Maker, model.Mode], jax.Array]


@dataclasses.dataclass(frozen=True)
class Plan:
  """What a cell does: two edges for each sum, and the states that it puts side by side."""

  edges: tuple[tuple[Edge, Edge], ...]
  joined: tuple[int, ...]


def conv(channels: int, kernel: int | tuple[int, int], name: str, *,
         stride: int | tuple[int, int] = 1, dilation: int = 1, groups: int = 1,
         padding: layers.Padding | None = None) -> layers.Conv2D:
  """Returns a convolution without bias, padded alike on all sides where `padding` says no other."""
  padding = layers.around(kernel, dilation) if padding is None else padding
  return layers.Conv2D(channels, kernel, stride, with_bias=False, name=name, padding=padding,
                       dilation=dilation, groups=groups, w_init=layers.TORCH)


def _depthwise(x: jax.Array, kernel: int, stride: int, dilation: int, number: int,
               norm: norms.Maker, mode: model.Mode) -> jax.Array:
  """relu, depthwise, 1x1, norm."""
  channels = x.shape[-1]
  x = conv(channels, kernel, f'depthwise{number}', stride=stride, dilation=dilation,
           groups=channels)(jax.nn.relu(x))
  return norm(f'norm{number}')(conv(channels, 1, f'pointwise{number}')(x), mode)


def _separable(kernel: int) -> Operation:
  """Twice a depthwise convolution; the first strides."""
  return lambda x, stride, norm, mode: _depthwise(
      _depthwise(x, kernel, stride, 1, 0, norm, mode), kernel, 1, 1, 1, norm, mode)


def _across_down(x: jax.Array, stride: int, norm: norms.Maker, mode: model.Mode) -> jax.Array:
  """relu, 1x7, 7x1, norm."""
  x = conv(x.shape[-1], (1, 7), 'across', stride=(1, stride))(jax.nn.relu(x))
  x = conv(x.shape[-1], (7, 1), 'down', stride=(stride, 1))(x)
  return norm('norm')(x, mode)


_OPERATIONS: dict[str, Operation] = {
    'across_down': _across_down,
    'average': lambda x, stride, norm, mode: layers.average_pool(x, 3, stride, 1),
    'dilated3': lambda x, stride, norm, mode: _depthwise(x, 3, stride, 2, 0, norm, mode),
    'max': lambda x, stride, norm, mode: layers.max_pool(x, 3, stride, 1),
    'separable3': _separable(3),
    'separable5': _separable(5),
    'separable7': _separable(7),
    'skip': lambda x, stride, norm, mode: x,
}


class _Edge(hk.Module):
  """One of the operations of a cell; it keeps the channels."""

  def __init__(self, kind: str, stride: int, norm: norms.Maker, name: str):
    super().__init__(name=name)
    self.kind, self.stride, self.norm = kind, stride, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H / stride, W / stride, C]."""
    return _OPERATIONS[self.kind](x, self.stride, self.norm, mode)


class _Enter(hk.Module):
  """relu, 1x1, norm; where the map has to be halved, two 1x1 of every second pixel side by side."""

  def __init__(self, channels: int, halve: bool, norm: norms.Maker, name: str):
    super().__init__(name=name)
    self.channels, self.halve, self.norm = channels, halve, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to [B, H, W, channels], or to half of H and W."""
    x = jax.nn.relu(x)
    if self.halve:
      x = jnp.concatenate([
          conv(self.channels // 2, 1, f'conv{first}', stride=2)(x[:, first:, first:])
          for first in (0, 1)], -1)
    else:
      x = conv(self.channels, 1, 'conv')(x)
    return self.norm('norm')(x, mode)


class Cell(hk.Module):
  """Two inputs, sums of two operations each, some of them side by side."""

  def __init__(self, plan: Plan, channels: int, *, halves: bool, after_halving: bool,
               norm: norms.Maker, name: str):
    """Makes the cell.

    Args:
      plan: of its operations.
      channels: of each of them.
      halves: whether its map has half the side of its inputs'.
      after_halving: whether the cell before it halves, so that its first input is the larger.
      norm: makes the norms.
      name: of the module.
    """
    super().__init__(name=name)
    self.plan, self.channels, self.norm = plan, channels, norm
    self.halves, self.after_halving = halves, after_halving

  def __call__(self, before: jax.Array, x: jax.Array, kept: jax.Array | None, mode: model.Mode
               ) -> jax.Array:
    """Maps the outputs of the two cells before.

    Args:
      before: of the last cell but one, [B, H, W, C], or twice H and W after halving.
      x: of the last cell, [B, H, W, C'].
      kept: what each operation is multiplied by, for each example, float32 [edges, B]; skips are
        left alone. None drops nothing.
      mode: of the norms.

    Returns:
      [B, H, W, joined states x channels], or half of H and W.
    """
    states = [_Enter(self.channels, self.after_halving, self.norm, 'enter0')(before, mode),
              _Enter(self.channels, False, self.norm, 'enter1')(x, mode)]
    for s, edges in enumerate(self.plan.edges):
      outs = []
      for e, (kind, source) in enumerate(edges):
        stride = 2 if self.halves and source < 2 else 1
        out = _Edge(kind, stride, self.norm, f'sum{s}_{e}_{kind}')(states[source], mode)
        if kept is not None and kind != 'skip':
          out = out * kept[2 * s + e, :, None, None, None].astype(out.dtype)
        outs.append(out)
      states.append(outs[0] + outs[1])
    return jnp.concatenate([states[s] for s in self.plan.joined], -1)
