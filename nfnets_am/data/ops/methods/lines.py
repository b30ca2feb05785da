"""Whole rows, or whole columns, each from either image (Summers 2021 sec. 2.3.3)."""

import dataclasses

from nfnets_am.data.ops.methods import expansion
from nfnets_am.data.ops.methods import method


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomRows(expansion.RandomMask, method.Masked):
  """Each row is that of the row's own image with probability lambda."""
  name = 'random_rows'

  def parts(self, height, width):
    return height

  def owned(self, xp, draws, shape):
    return expansion.mask(xp, draws, shape[0])[:, :, None]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomColumns(expansion.RandomMask, method.Masked):
  """Each column is that of the row's own image with probability lambda."""
  name = 'random_columns'

  def parts(self, height, width):
    return width

  def owned(self, xp, draws, shape):
    return expansion.mask(xp, draws, *shape[1:])[:, None]
