"""Cutout: a square of each view is set to the mean colour (DeVries and Taylor 2017)."""

import dataclasses
from typing import ClassVar

from nfnets_am.core import errors
from nfnets_am.data import draws as draws_lib
from nfnets_am.data.ops import base


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cutout(base.Op):
  """Zeroes a square around a random pixel, as DeVries' and Hoffer's code do.

  The centre is uniform over all pixels and the square is clipped at the border, so that it is
  whole only near the middle (32x32, length 16: 64 to 256 pixels, 196 on average). It stands after
  `normalise`, where 0 is the mean colour.

  Attributes:
    length: side of the square in pixels, even.
  """
  works_on: ClassVar[tuple[str, ...]] = (base.FLOATS,)
  length: int = 16

  def __post_init__(self):
    if type(self.length) is not int or self.length < 2 or self.length % 2:
      raise errors.ConfigError(f'cutout has length={self.length!r}; allowed: even integers from 2')

  def check(self, height, width):
    if self.length > min(height, width):
      raise errors.ConfigError(
          f'cutout has length={self.length}, which is more than images of {height}x{width} allow; '
          f'allowed: even integers from 2 to {min(height, width)}')

  def draw(self, words, height, width):
    return {'row': draws_lib.integers(words[0], height),
            'col': draws_lib.integers(words[1], width)}

  def apply(self, xp, images, draws):
    height, width = images.shape[1:3]
    rows = self._covers(xp.arange(height), draws['row'])
    cols = self._covers(xp.arange(width), draws['col'])
    box = rows[:, :, None, None] & cols[:, None, :, None]
    return xp.where(box, xp.asarray(0, 'float32'), images)

  def _covers(self, positions, centre):
    """bool [R, size]: positions from half a side before the centre to half a side after it."""
    offset = positions[None] - centre[:, None]
    return (offset >= -(self.length // 2)) & (offset < self.length // 2)
