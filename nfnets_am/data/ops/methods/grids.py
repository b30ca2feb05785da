"""Grids of two by two cells, each cell from one image (Summers 2021 sec. 2.3.3)."""

import dataclasses

from nfnets_am.core import errors
from nfnets_am.data.ops.methods import blending
from nfnets_am.data.ops.methods import laws
from nfnets_am.data.ops.methods import method


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixedConcat(method.Beta, method.Masked):
  """Top left and bottom right are the row's own, the other two cells its partner's.

  The first lambda says how many rows the upper cells have, the second how many columns the left
  ones have, both rounded down. The weight is the area of the two cells.
  """
  name = 'mixed_concat'

  def draw(self, words, height, width):
    rows = laws.split(words[0], words[1], self.alpha, height)
    cols = laws.split(words[2], words[3], self.alpha, width)
    area = rows * cols + (height - rows) * (width - cols)
    return {'weight': laws.weight(area, height * width), 'rows': rows, 'cols': cols}

  def owned(self, xp, draws, shape):
    upper = blending.upper(xp, draws['rows'], shape[0])
    left = blending.left(xp, draws['cols'], *shape[1:])
    return (upper & left) | ~(upper | left)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Random2x2(method.Beta, method.Masked):
  """Each cell is the row's own with probability lambda, drawn once a row, as in the public code.

  The thesis leaves that probability open. The lines of the grid lie in the middle of the image: of
  H rows the upper cells have m + floor(lambda (H - 2 m)), where m rounds (1 - middle) / 2 H; with
  alpha = 1 these are the public code's 8 to 23 of 32, equally likely. The weight is the area of
  the row's own cells.

  Attributes:
    middle: share of the height and of the width in which the lines lie, in (0, 1].
  """
  name = 'random_2x2'
  blocks = 3
  middle: float = 0.5

  def __post_init__(self):
    super().__post_init__()
    self.check_number('middle', to=1)

  def check(self, height, width):
    for size in (height, width):
      if 2 * self._margin(size) >= size:
        raise errors.ConfigError(
            f'{self.name} has middle={self.middle}, which leaves no place for a line in images of '
            f'{height}x{width}; allowed: a larger middle')

  def draw(self, words, height, width):
    rows, cols = (
        self._margin(size) + laws.split(*pair, self.alpha, size - 2 * self._margin(size))
        for size, pair in ((height, words[0:2]), (width, words[2:4])))
    share = laws.share(words[4], words[5], self.alpha)
    own = (words[6:10] >> 16).astype('int32') < share
    cells = sum(own[i].astype('int32') << i for i in range(4))
    below, right = height - rows, width - cols
    areas = (rows * cols, rows * right, below * cols, below * right)
    area = sum(one * size for one, size in zip(own, areas, strict=True))
    return {'weight': laws.weight(area, height * width), 'rows': rows, 'cols': cols,
            'cells': cells}

  def owned(self, xp, draws, shape):
    # Bits of 'cells', from the lowest: top left, top right, bottom left, bottom right.
    cells = draws['cells'][:, None, None]
    top_left, top_right, bottom_left, bottom_right = (cells // 2**i % 2 == 1 for i in range(4))
    left = blending.left(xp, draws['cols'], *shape[1:])
    return xp.where(blending.upper(xp, draws['rows'], shape[0]),
                    xp.where(left, top_left, top_right),
                    xp.where(left, bottom_left, bottom_right))

  def _margin(self, size: int) -> int:
    return round((1 - self.middle) / 2 * size)
