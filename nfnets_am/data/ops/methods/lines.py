"""Whole rows, or whole columns, each from either image (Summers 2021 sec. 2.3.3)."""

import dataclasses

from nfnets_am.data.ops.methods import expansion


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomRows(expansion.RandomMask):
  """Each row is that of the row's own image with probability lambda."""
  name = 'random_rows'

  def parts(self, height, width):
    return height, 1, 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomColumns(expansion.RandomMask):
  """Each column is that of the row's own image with probability lambda."""
  name = 'random_columns'

  def parts(self, height, width):
    return 1, width, 1
