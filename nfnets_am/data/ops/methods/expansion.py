"""Masks of many elements, expanded from one drawn word a row.

A host would take longer to draw every element's number with Philox than to mix the images. The
host counts the same mask to know what weight the row's label has, so the expansion is written over
a namespace, and `NUMPY` is as much of one as it needs.
"""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

import numpy as np

from nfnets_am.data.ops import arrays
from nfnets_am.data.ops.methods import laws
from nfnets_am.data.ops.methods import method

# Elements that are counted at a time: they stay in a core's cache.
_CHUNK = 1 << 17


class _Numpy:
  """The functions of arrays.Namespace that an expansion needs."""

  asarray, concat, bitwise_and, bitwise_xor = (
      staticmethod(f) for f in (np.asarray, np.concatenate, np.bitwise_and, np.bitwise_xor))

  def arange(self, size):
    return np.arange(size, dtype=np.int32)

  def cast(self, x, dtype):
    return x.astype(dtype)

  def right_shift(self, x, places):
    return x >> np.uint32(places)


NUMPY = _Numpy()


def halves(xp: arrays.Namespace, seed: Any, count: int) -> Any:
  """Returns int32 [R, count], uniform in 0 to 65535, of seeds int32 [R]: two for each word."""
  words = arrays.words(xp, seed, (count + 1) // 2)
  low = xp.bitwise_and(words, xp.asarray(0xFFFF, 'uint32'))
  return xp.cast(xp.concat([low, xp.right_shift(words, 16)], 1)[:, :count], 'int32')


def mask(xp: arrays.Namespace, seed: Any, share: Any, count: int) -> Any:
  """Returns bool [R, count]: each True with a probability of share / 65536, int32 [R]."""
  return halves(xp, seed, count) < share[:, None]


def counted(seed: np.ndarray, share: np.ndarray, count: int) -> np.ndarray:
  """Returns how many elements of `mask` are True, int64 [R]."""
  total = np.empty(len(seed), np.int64)
  rows = max(_CHUNK // count, 1)
  # A share of 65536 is out of reach of 16 bits: all are below it.
  limit = np.minimum(share, laws.ONE - 1).astype('<u2')[:, None]
  for first in range(0, len(seed), rows):
    some = slice(first, first + rows)
    # Both halves of each word, in another order than theirs in `halves`, but the last, which an odd
    # count leaves out, is the high half of the last word there and here.
    words = arrays.words(NUMPY, seed[some], (count + 1) // 2).astype('<u4', copy=False)
    total[some] = np.count_nonzero(words.view('<u2')[:, :count] < limit[some], axis=1)
  return np.where(share == laws.ONE, count, total)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomMask(method.Beta, method.Masked):
  """Each part of the image is the row's own with a probability lambda, drawn once a row.

  The weight of the row's own label is the share of the parts that are really its own.
  """
  expands = True

  def parts(self, height: int, width: int) -> tuple[int, int, int]:
    """Returns how many parts there are along (H, W, C)."""
    raise NotImplementedError

  def draw(self, words: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    share = laws.share(words[0], words[1], self.alpha)
    seed = words[2].view(np.int32)
    count = math.prod(self.parts(height, width))
    return {'weight': laws.weight(counted(seed, share, count), count),
            'share': share, 'seed': seed}

  def owned(self, xp: arrays.Namespace, draws: Mapping[str, Any],
            shape: tuple[int, int, int]) -> Any:
    parts = self.parts(*shape[:2])
    own = mask(xp, draws['seed'], draws['share'], math.prod(parts))
    if parts[1] == 1:
      return xp.reshape(own, (-1, *parts[:2]))
    # A pixel's part of the line is as wide as it has channels.
    each = xp.asarray(np.ones(shape[2] // parts[2], bool), 'bool')
    return xp.reshape(xp.reshape(own, (-1, parts[0], parts[1] * parts[2], 1)) & each,
                      (-1, parts[0], shape[1] * shape[2]))
