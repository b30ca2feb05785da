"""How long the segments of a text are: drawn, so that a pass never cuts it where another one did.

The law is that of Merity et al. 2018, section 5, as their public code has it: a segment has about
`segment` tokens, or with a small probability half of them; the number itself is normal around that,
cut off to a whole one, and at least LEAST. Rows have a static length, so that it also has an upper
end, three deviations above `segment`, which one segment in 700 would exceed.

A pass over L tokens has a fixed number of segments, whatever was drawn. What the draws sum up to is
off L by some tenths of a percent; the difference is spread over the segments, a token for some of
them.
"""

import dataclasses
import functools
import math
import zlib

import numpy as np

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import draws

LEAST = 5
_LABEL = zlib.crc32(b'segments')
_OFFSET = zlib.crc32(b'segments offset')


@dataclasses.dataclass(frozen=True)
class Law:
  """The law of a segment's length.

  Attributes:
    segment: tokens around which most lengths lie.
    halved: probability of half of them.
    deviation: standard deviation of a length, in tokens; 0 with halved=0 is one length for all.
  """

  segment: int = 70
  halved: float = 0.05
  deviation: float = 5.0

  def __post_init__(self):
    schema.require(self.segment >= LEAST, 'data.segment', self.segment,
                   f'a whole number from {LEAST} up')
    schema.require(0 <= self.halved <= 1, 'data.halved', self.halved, 'from 0 to 1')
    schema.require(0 <= self.deviation <= self.segment, 'data.deviation', self.deviation,
                   'from 0 to data.segment')

  @property
  def most(self) -> int:
    """T, the length of no segment is more."""
    return self.segment + math.ceil(3 * self.deviation)

  @functools.cached_property
  def probabilities(self) -> np.ndarray:
    """Returns the probability of each length 0 .. T: float64 [T + 1]."""
    ends = np.arange(1, self.most + 1)
    total = np.zeros(self.most + 1)
    for share, middle in ((1 - self.halved, self.segment), (self.halved, self.segment / 2)):
      if self.deviation:
        below = np.array([math.erf((end - middle) / self.deviation / math.sqrt(2)) for end in ends])
        below = (1 + below) / 2
      else:
        below = (ends > middle).astype(float)
      # Below[k] is the probability of at most k tokens, before the ends are put to the law.
      total += share * np.diff(np.concatenate([[0.0], below, [1.0]]))
    total[LEAST] += total[:LEAST].sum()
    total[:LEAST] = 0
    return total

  @property
  def mean(self) -> float:
    """Tokens of a segment in the mean."""
    return float(self.probabilities @ np.arange(self.most + 1))

  def drawn(self, seed: int, epoch: int, count: int) -> np.ndarray:
    """Returns the lengths of the first segments of a pass as drawn: int64 [count].

    Each is a function of (seed, pass, segment).
    """
    word = draws.philox((np.arange(count), epoch, 0, 0), (seed, _LABEL))[0]
    ends = np.cumsum(self.probabilities)[:-1] * 2.0**32
    return np.searchsorted(ends, word.astype(np.float64), side='right')

  def cuts(self, seed: int, epoch: int, count: int, total: int) -> np.ndarray:
    """Returns where the segments of a pass over `total` tokens begin and end: int64 [count + 1].

    Raises:
      ConfigError: so many tokens cannot be cut into so many segments.
    """
    if not LEAST * count <= total <= self.most * count:
      raise errors.ConfigError(
          f'{total} tokens of a stream cannot be cut into {count} segments of {LEAST} to '
          f'{self.most} tokens; allowed: fewer streams, or a longer text')
    lengths = self.drawn(seed, epoch, count)
    missing = total - int(lengths.sum())
    while missing:
      room = np.flatnonzero(lengths < self.most if missing > 0 else lengths > LEAST)
      some = min(abs(missing), len(room))
      lengths[room[np.arange(some) * len(room) // some]] += np.sign(missing)
      missing = total - int(lengths.sum())
    return np.concatenate([[0], np.cumsum(lengths)])


def offset(seed: int, epoch: int, left: int) -> int:
  """Returns at which of the tokens 0 .. `left` the streams of a pass begin.

  So many tokens are more than streams of one length hold; others are left out in each pass.
  """
  return int(draws.integers(draws.philox((0, epoch, 0, 0), (seed, _OFFSET))[0], left + 1))
