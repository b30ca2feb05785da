"""A square of the row's own image shows its partner (Summers 2021 sec. 2.3.3)."""

import dataclasses

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws as draws_lib
from nfnets_am.data.ops.methods import blending
from nfnets_am.data.ops.methods import laws
from nfnets_am.data.ops.methods import method

LAWS = ('text', 'public')


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomSquare(method.Method):
  """As in cutout, the centre is any pixel and the square is clipped at the border.

  What the partner shows there is a part of the same size from a random place of its own. The
  weight is the share of the pixels outside the square, 0.75 or more for 16 of 32.

  Attributes:
    size: side of the square in pixels, even.
    law: 'text', the default, takes the part from all places of its size. The public code leaves
      out the last one along each side.
  """
  name = 'random_square'
  size: int = 16
  law: str = 'text'

  def __post_init__(self):
    if type(self.size) is not int or self.size < 2 or self.size % 2:
      self.refuse('size', 'even integers from 2')
    self.check_choice('law', LAWS)

  def check(self, height, width):
    if self.size >= min(height, width):
      raise errors.ConfigError(
          f'{self.name} has size={self.size}, which leaves nothing of images of '
          f'{height}x{width}; allowed: even integers from 2 to {min(height, width) - 1}')

  def draw(self, words, height, width):
    top, bottom, down = self._side(words[0], words[1], height)
    left, right, across = self._side(words[2], words[3], width)
    whole = height * width
    return {'weight': laws.weight(whole - (bottom - top) * (right - left), whole), 'top': top,
            'bottom': bottom, 'left': left, 'right': right, 'down': down, 'across': across}

  def apply(self, xp, own, partner, draws):
    inside = blending.box(xp, draws, tuple(own.shape[1:]))
    return blending.choose(
        xp, blending.moved(xp, partner, draws['down'], draws['across']), own, inside)

  def _side(self, centre: np.ndarray, place: np.ndarray, size: int):
    """Returns first line, line after the last, and how far its source lies behind it."""
    centre = draws_lib.integers(centre, size)
    low = np.maximum(centre - self.size // 2, 0)
    high = np.minimum(centre + self.size // 2, size)
    places = size - (high - low) + (self.law == 'text')
    return low, high, draws_lib.integers(place, places) - low
