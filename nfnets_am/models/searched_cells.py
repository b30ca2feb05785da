"""Networks of cells that were found by search: DARTS and AmoebaNet, for CIFAR.

The cells of Liu et al. 2019 (DARTS, second order) and of Real et al. 2019 (AmoebaNet-A), stacked as
in the public code of Hoffer et al. 2020: a cell sees the two before it, two of the 20 halve the map
and double the channels, a second head stands behind the latter of them, and whole operations of an
example are dropped at a rate that rises while training. All weights start as torch's. Without the
second head, of which training alone has logits, and with 10 classes DARTS has 3,349,342 parameters,
AmoebaNet 3,145,078, and AmoebaNet with 128 channels 37,490,058; with it DARTS has 3,825,768 and
AmoebaNet-128 38,089,364.
"""

from collections.abc import Sequence
import dataclasses

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import cells as cells_lib
from nfnets_am.models import layers
from nfnets_am.models import model
from nfnets_am.models import norms


@dataclasses.dataclass(frozen=True)
class Variant:
  """The cell that keeps the size of the map, and the one that halves it."""

  normal: cells_lib.Plan
  reduction: cells_lib.Plan


VARIANTS = {
    'amoebanet': Variant(
        normal=cells_lib.Plan(
            ((('average', 0), ('max', 1)),
             (('separable3', 0), ('separable5', 2)),
             (('separable3', 0), ('average', 3)),
             (('separable3', 1), ('skip', 1)),
             (('skip', 0), ('average', 1))), joined=(4, 5, 6)),
        reduction=cells_lib.Plan(
            ((('average', 0), ('separable3', 1)),
             (('max', 0), ('separable7', 2)),
             (('separable7', 0), ('average', 1)),
             (('max', 0), ('max', 1)),
             (('across_down', 0), ('separable3', 5))), joined=(3, 4, 6))),
    'darts': Variant(
        normal=cells_lib.Plan(
            ((('separable3', 0), ('separable3', 1)),
             (('separable3', 0), ('separable3', 1)),
             (('separable3', 1), ('skip', 0)),
             (('skip', 0), ('dilated3', 2))), joined=(2, 3, 4, 5)),
        reduction=cells_lib.Plan(
            ((('max', 0), ('max', 1)),
             (('skip', 2), ('max', 1)),
             (('max', 0), ('skip', 2)),
             (('skip', 2), ('max', 1))), joined=(2, 3, 4, 5))),
}


def _kept(rng: jax.Array, rate: float | jax.Array, shape: Sequence[int]) -> jax.Array:
  """Returns 0 at `rate`, else 1 / (1 - rate), independently: float32 of a shape."""
  return jax.random.bernoulli(rng, 1 - rate, shape) / (1 - rate)


class SearchedCells(hk.Module):
  """Stem, cells, mean over the map, linear; a head on the way, in training."""

  def __init__(self, num_classes: int, variant: Variant, *, cells: int, channels: int,
               auxiliary: bool, drop_path: float, drop_path_steps: int, norm: norms.Maker):
    """Makes the network; see `create`."""
    super().__init__(name='searched_cells')
    self.num_classes, self.variant, self.cells, self.channels = (
        num_classes, variant, cells, channels)
    self.auxiliary, self.norm = auxiliary, norm
    self.drop_path, self.drop_path_steps = drop_path, drop_path_steps

  def __call__(self, x: jax.Array, mode: model.Mode) -> model.Outputs:
    """Maps images [B, H, W, C] to logits float32 [B, K], in training auxiliary ones too."""
    if x.shape[1] % 4 or x.shape[2] % 4:
      raise errors.ConfigError(
          f'images of {x.shape[1]}x{x.shape[2]} pixels for searched cells, which halve them twice; '
          'allowed: sides that 4 divides')
    x = cells_lib.conv(3 * self.channels, 3, 'stem')(x)
    before = x = self.norm('stem_norm')(x, mode)
    kept = self._paths(len(x), mode)
    halving = self.cells // 3, 2 * self.cells // 3
    auxiliary = {}
    for number in range(self.cells):
      halves = number in halving
      cell = cells_lib.Cell(
          self.variant.reduction if halves else self.variant.normal,
          self.channels * 2 ** sum(number >= first for first in halving), halves=halves,
          after_halving=number - 1 in halving, norm=self.norm, name=f'cell{number}')
      before, x = x, cell(before, x, None if kept is None else kept[number], mode)
      if number == halving[1] and self.auxiliary and mode.is_training:
        auxiliary[f'cell{number}'] = _Auxiliary(self.num_classes, self.norm)(x, mode)
    features = x.mean((1, 2))
    logits = _linear(self.num_classes)(features).astype(jnp.float32)
    return model.Outputs(logits, auxiliary, {'features': features})

  def _paths(self, rows: int, mode: model.Mode) -> jax.Array | None:
    """Returns what the operations of every example are multiplied by, [cells, edges, B]."""
    if not (mode.is_training and self.drop_path):
      return None
    progress = mode.progress
    if self.drop_path_steps:
      # In float32, the progress of the update that begins a step may lie a little below it.
      progress = jnp.floor(progress * self.drop_path_steps + 1e-4) / self.drop_path_steps
    edges = 2 * max(len(cell.edges) for cell in (self.variant.normal, self.variant.reduction))
    return _kept(hk.next_rng_key(), self.drop_path * progress, (self.cells, edges, rows))


class _Auxiliary(hk.Module):
  """relu, mean over windows of 5x5, 1x1, norm, relu, 2x2 without padding, norm, relu, linear.

  Maps of less than 8x8, such as those of images of 28 pixels, have a smaller kernel.
  """

  def __init__(self, num_classes: int, norm: norms.Maker):
    super().__init__(name='auxiliary')
    self.num_classes, self.norm = num_classes, norm

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Maps [B, H, W, C] to logits float32 [B, K]."""
    x = layers.average_pool(jax.nn.relu(x), min(5, *x.shape[1:3]), 3)
    x = jax.nn.relu(self.norm('norm0')(cells_lib.conv(128, 1, 'conv0')(x), mode))
    x = cells_lib.conv(768, min(2, *x.shape[1:3]), 'conv1', padding='VALID')(x)
    x = jax.nn.relu(self.norm('norm1')(x, mode))
    return _linear(self.num_classes)(x.mean((1, 2))).astype(jnp.float32)


def _linear(size: int) -> layers.Linear:
  return layers.Linear(size, layers.TORCH, 'linear', b_init=layers.torch_bias)


def create(variant: str, num_classes: int, *, channels: int = 36, cells: int = 20,
           auxiliary: bool = True, drop_path: float = 0.2, drop_path_steps: int = 600,
           norm: str = 'batch()') -> model.Model:
  """Returns a network of searched cells.

  Args:
    variant: one of VARIANTS.
    num_classes: K.
    channels: of each operation in the first cells, even; the stem has three times as many.
    cells: of which those at one and at two thirds halve the map.
    auxiliary: whether there is a second head, whose logits are there in training only. It learns
      where the objective gives auxiliary logits a weight; as published 0.4.
    drop_path: rate of an operation at the end of training, in [0, 1). It rises linearly from 0.
    drop_path_steps: in how many steps it rises: as published, one for each of 600 epochs. With 0 it
      changes with every update.
    norm: a call of one of norms.NORMS.

  Raises:
    ConfigError: a number out of its range, or a norm that cannot be read.
  """
  if channels < 2 or channels % 2:
    raise errors.ConfigError(f'model.channels={channels}; allowed: an even number from 2 up')
  if cells < 4:
    raise errors.ConfigError(f'model.cells={cells}; allowed: a whole number from 4 up')
  if not 0 <= drop_path < 1:
    raise errors.ConfigError(f'model.drop_path={drop_path}; allowed: from 0 to below 1')
  if drop_path_steps < 0:
    raise errors.ConfigError(
        f'model.drop_path_steps={drop_path_steps}; allowed: a whole number from 0 up')
  maker = norms.parse(norm)
  return model.from_module(
      lambda: SearchedCells(
          num_classes, VARIANTS[variant], cells=cells, channels=channels, auxiliary=auxiliary,
          drop_path=drop_path, drop_path_steps=drop_path_steps, norm=maker),
      name=variant, num_classes=num_classes, train_size=32, test_size=32,
      head='searched_cells/linear',
      auxiliary_heads=('searched_cells/auxiliary/linear',) if auxiliary else ())
