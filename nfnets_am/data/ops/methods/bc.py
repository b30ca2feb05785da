"""BC+ and VH-BC+: images mixed like sounds, by their energies (Summers 2021 eq. 2.4)."""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any

import numpy as np

from nfnets_am.data.ops import arrays
from nfnets_am.data.ops.methods import blending
from nfnets_am.data.ops.methods import laws
from nfnets_am.data.ops.methods import method
from nfnets_am.data.ops.methods import vh

LAWS = ('public', 'text')


@dataclasses.dataclass(frozen=True, kw_only=True)
class BcPlus(method.Beta):
  """x = (p (x1 - m1) + (1 - p) (x2 - m2)) / sqrt(p^2 + (1 - p)^2), the label's weight is lambda.

  p = 1 / (1 + s1/s2 (1 - lambda)/lambda), where m and s are the mean and the standard deviation
  over all pixels and channels of one image. (Tokozume et al. 2018, as Summers 2021 uses it: pairs
  of one class are mixed too.)

  Attributes:
    law: 'public', the default as it is what was run, does not subtract m1 and m2: the images
      arrive with zero mean, taken from every image, also at test time, before they are normalised
      by channel. 'text' is eq. 2.4 as it stands. The deviation is about the mean in both.
    epsilon: added to both standard deviations, in units of the images that arrive, in [0, 1]. The
      thesis adds "a small constant" on Caltech-256 without its value, the public CIFAR code none.
      At 0, the mixture of two constant images has p = lambda.
  """
  name = 'bc_plus'
  floats = True
  law: str = 'public'
  epsilon: float = 1e-5

  def __post_init__(self):
    super().__post_init__()
    self.check_choice('law', LAWS)
    self.check_number('epsilon', to=1, zero=True)

  def draw(self, words: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    share = laws.share(words[0], words[1], self.alpha)
    return {'weight': laws.weight(share, laws.ONE), 'share': share}

  def apply(self, xp: arrays.Namespace, own: Any, partner: Any, draws: Mapping[str, Any]) -> Any:
    if self.law == 'text':
      own, partner = own - _mean(xp, own), partner - _mean(xp, partner)
    own, partner = self.sources(xp, own, partner, draws)
    share = xp.cast(draws['share'], 'float32')[:, None, None, None] / laws.ONE
    own_loud, partner_loud = (_deviation(xp, x) + self.epsilon for x in (own, partner))
    # Eq. 2.4's p with its fractions multiplied out: nothing is divided by lambda or a deviation.
    part, rest = share * partner_loud, (1 - share) * own_loud
    p = xp.where(part + rest > 0, part / xp.where(part + rest > 0, part + rest, 1.0), share)
    return (p * own + (1 - p) * partner) / xp.sqrt(p * p + (1 - p) * (1 - p))

  def sources(self, xp: arrays.Namespace, own: Any, partner: Any,
              draws: Mapping[str, Any]) -> tuple[Any, Any]:
    """Returns the two images that are mixed by their energies, float32 [R, H, W, C] each."""
    del xp, draws
    return own, partner


@dataclasses.dataclass(frozen=True, kw_only=True)
class VhBcPlus(BcPlus):
  """BC+ of a vertical and a horizontal concatenation of both images (Summers 2021 sec. 2.3.3).

  The deviations are those of the concatenations, while means are subtracted before: see `law`. The
  weight is that of VH-mixup.
  """
  name = 'vh_bc_plus'
  blocks = 2

  def draw(self, words, height, width):
    return vh.draw(words, self.alpha, height, width)

  def sources(self, xp, own, partner, draws):
    height, *line = own.shape[1:]
    return (blending.choose(xp, own, partner, blending.upper(xp, draws['rows'], height)),
            blending.choose(xp, own, partner, blending.left(xp, draws['cols'], *line)))


def _mean(xp: arrays.Namespace, images: Any) -> Any:
  """Returns the mean of each image, [R, 1, 1, 1]."""
  total = xp.sum(images, (1, 2, 3))
  return total[:, None, None, None] / math.prod(images.shape[1:])


def _deviation(xp: arrays.Namespace, images: Any) -> Any:
  """Returns the standard deviation of each image about its mean, [R, 1, 1, 1]."""
  away = images - _mean(xp, images)
  return xp.sqrt(_mean(xp, away * away))
