"""VH-mixup: a mean of a vertical and a horizontal concatenation (Summers 2021 eq. 2.7)."""

import dataclasses

import numpy as np

from nfnets_am.data.ops.methods import blending
from nfnets_am.data.ops.methods import laws
from nfnets_am.data.ops.methods import method


def draw(words: np.ndarray, alpha: float, height: int, width: int) -> dict[str, np.ndarray]:
  """Draws two concatenations and what share the vertical one has.

  Args:
    words: uint32 [8, R], of which it takes six.
    alpha: all three coefficients are drawn from Beta(alpha, alpha).
    height: H.
    width: W.

  Returns:
    int32 [R]: 'rows' of the row's own image in the vertical concatenation, 'cols' in the
    horizontal one, 'share' of the vertical one in parts of 1/65536; and 'weight', float32 [R]:
    share rows/H + (1 - share) cols/W, the mean of the two concatenations' labels.
  """
  rows = laws.split(words[0], words[1], alpha, height)
  cols = laws.split(words[2], words[3], alpha, width)
  share = laws.share(words[4], words[5], alpha)
  whole = share.astype(np.int64)
  parts = whole * rows * width + (laws.ONE - whole) * cols * height
  return {'weight': laws.weight(parts, laws.ONE * height * width),
          'rows': rows, 'cols': cols, 'share': share}


@dataclasses.dataclass(frozen=True, kw_only=True)
class VhMixUp(method.Beta):
  """Top left is the row's own, bottom right its partner's, the rest is a mean of both.

  At the top right the row's own image has weight lambda_3, at the bottom left 1 - lambda_3. The
  weight of its label is the mean weight of its pixels.
  """
  name = 'vh_mixup'
  blocks = 2

  def draw(self, words, height, width):
    return draw(words, self.alpha, height, width)

  def apply(self, xp, own, partner, draws):
    # The weights of a mean of two concatenations, rounded once instead of twice.
    share = draws['share'][:, None, None]
    vertical = xp.where(blending.upper(xp, draws['rows'], own.shape[1]), share, 0)
    horizontal = xp.where(blending.left(xp, draws['cols'], *own.shape[2:]), laws.ONE - share, 0)
    mixed = blending.blend(
        xp, blending.lines(xp, own), blending.lines(xp, partner), vertical + horizontal)
    return xp.reshape(mixed, (-1, *own.shape[1:]))
