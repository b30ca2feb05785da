"""Pad and crop: the random shifts of small images."""

import dataclasses

from nfnets_am.core import errors
from nfnets_am.data import draws as draws_lib
from nfnets_am.data.ops import geometry

MODES = ('zero', 'reflect')


@dataclasses.dataclass(frozen=True, kw_only=True)
class PadCrop(geometry.GeometricOp):
  """Pads every side, then crops a window of the image's own size at random.

  Attributes:
    pad: pixels on each side; there are (2*pad + 1)**2 windows, equally likely.
    mode: 'zero' pads with black, or behind `normalise` with the mean colour (He et al., Hoffer et
      al.; Summers), 'reflect' with a mirror image that repeats the edge pixel (jax_privacy).
  """
  pad: int = 4
  mode: str = 'zero'

  def __post_init__(self):
    if type(self.pad) is not int or self.pad < 1:
      raise errors.ConfigError(f'pad_crop has pad={self.pad!r}; allowed: integers from 1')
    if self.mode not in MODES:
      raise errors.ConfigError(f'pad_crop has mode={self.mode!r}; allowed: {", ".join(MODES)}')

  def check(self, height, width):
    if self.pad > min(height, width):
      raise errors.ConfigError(
          f'pad_crop has pad={self.pad}, which is more than images of {height}x{width} allow; '
          f'allowed: 1 to {min(height, width)}')

  def draw(self, words, height, width):
    windows = 2 * self.pad + 1
    return {'top': draws_lib.integers(words[0], windows),
            'left': draws_lib.integers(words[1], windows)}

  def sources(self, xp, draws, rows, cols, height, width):
    return (self._source(xp.where, rows, draws['top'], height),
            self._source(xp.where, cols, draws['left'], width))

  def _source(self, where, position, offset, size):
    source = position + offset[:, None] - self.pad
    if self.mode == 'reflect':
      source = where(source < 0, -1 - source, source)
      source = where(source >= size, 2 * size - 1 - source, source)
    inside = (source >= 0) & (source < size) & (position != geometry.BLANK)
    return where(inside, source, geometry.BLANK)
