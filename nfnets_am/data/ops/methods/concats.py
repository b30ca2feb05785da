"""The first part of one image and the last part of the other (Summers 2021 eq. 2.5, 2.6).

With alpha = 1 the first part has 0 to H - 1 rows of H, equally likely, in the thesis and in the
public code; the mean share of the row's own image at H = 32 is 0.484. The label follows the rows
that are there, not lambda.
"""

import dataclasses

from nfnets_am.data.ops.methods import blending
from nfnets_am.data.ops.methods import laws
from nfnets_am.data.ops.methods import method


@dataclasses.dataclass(frozen=True, kw_only=True)
class VerticalConcat(method.Beta, method.Masked):
  """The upper floor(lambda H) rows are the row's own, the others its partner's."""
  name = 'vertical_concat'

  def draw(self, words, height, width):
    rows = laws.split(words[0], words[1], self.alpha, height)
    return {'weight': laws.weight(rows, height), 'rows': rows}

  def owned(self, xp, draws, shape):
    return blending.upper(xp, draws['rows'], shape[0])


@dataclasses.dataclass(frozen=True, kw_only=True)
class HorizontalConcat(method.Beta, method.Masked):
  """The left floor(lambda W) columns are the row's own, the others its partner's."""
  name = 'horizontal_concat'

  def draw(self, words, height, width):
    cols = laws.split(words[0], words[1], self.alpha, width)
    return {'weight': laws.weight(cols, width), 'cols': cols}

  def owned(self, xp, draws, shape):
    return blending.left(xp, draws['cols'], *shape[1:])
