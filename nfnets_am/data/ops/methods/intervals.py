"""An interval of columns, or of rows, shows the partner (Summers 2021 sec. 2.3.3)."""

import dataclasses

import numpy as np

from nfnets_am.data import draws as draws_lib
from nfnets_am.data.ops.methods import blending
from nfnets_am.data.ops.methods import laws
from nfnets_am.data.ops.methods import method

LAWS = ('text', 'public')


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Interval(method.Method):
  """The interval's lower end is uniform, then its upper one among those that remain.

  The weight is the share of the lines (columns, rows) outside the interval.

  Attributes:
    law: 'text', the default: the first line is uniform over all, the length uniform from 1 to as
      many as follow (8.75 of 32 on average), and the partner shows the same lines. In the public
      code an interval may be empty (0.127 of all) and never reaches the last line (7.75 on
      average), and the partner's lines come from a random place of their own, which never reaches
      its last line either.
  """
  law: str = 'text'

  def __post_init__(self):
    self.check_choice('law', LAWS)

  def interval(self, words: np.ndarray, size: int) -> dict[str, np.ndarray]:
    """Returns 'weight' and, int32 [R], 'low', 'high' and 'shift', from there to the source."""
    low = draws_lib.integers(words[0], size)
    length = draws_lib.integers(words[1], size - low) + (self.law == 'text')
    start = draws_lib.integers(words[2], size - length) if self.law == 'public' else low
    return {'weight': laws.weight(size - length, size),
            'low': low, 'high': low + length, 'shift': start - low}


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomColumnInterval(_Interval):
  """An interval of columns shows the partner; `_Interval` says how it is drawn."""
  name = 'random_column_interval'

  def draw(self, words, height, width):
    return self.interval(words, width)

  def apply(self, xp, own, partner, draws):
    width, channels = own.shape[2:]
    if self.law == 'public':
      partner = blending.moved(xp, partner, 0 * draws['shift'], draws['shift'])
    inside = (blending.left(xp, draws['high'], width, channels)
              & ~blending.left(xp, draws['low'], width, channels))
    return blending.choose(xp, partner, own, inside)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomRowInterval(_Interval):
  """An interval of rows shows the partner; `_Interval` says how it is drawn."""
  name = 'random_row_interval'

  def draw(self, words, height, width):
    return self.interval(words, height)

  def apply(self, xp, own, partner, draws):
    height = own.shape[1]
    if self.law == 'public':
      partner = blending.moved(xp, partner, draws['shift'], 0 * draws['shift'])
    inside = blending.upper(xp, draws['high'], height) & ~blending.upper(xp, draws['low'], height)
    return blending.choose(xp, partner, own, inside)
