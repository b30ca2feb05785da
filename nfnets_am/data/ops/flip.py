"""Left-right flip."""

import dataclasses

from nfnets_am.data.ops import geometry


@dataclasses.dataclass(frozen=True, kw_only=True)
class Flip(geometry.GeometricOp):
  """Mirrors an image left to right with probability 1/2."""

  def draw(self, words, height, width):
    return {'flip': (words[0] >> 31).astype('int32')}

  def sources(self, xp, draws, rows, cols, height, width):
    mirrored = (draws['flip'][:, None] == 1) & (cols != geometry.BLANK)
    return rows, xp.where(mirrored, width - 1 - cols, cols)
