"""Weighted means of two images: mixup, and mixup with another weight for every pixel."""

import dataclasses
import functools

import numpy as np
import scipy.special

from nfnets_am.data.ops.methods import blending
from nfnets_am.data.ops.methods import expansion
from nfnets_am.data.ops.methods import laws
from nfnets_am.data.ops.methods import method


@dataclasses.dataclass(frozen=True, kw_only=True)
class MixUp(method.Beta):
  """Weighted mean of two images (Zhang et al. 2018; Summers 2021 eq. 2.3).

  Attributes:
    alpha: the weight is drawn from Beta(alpha, alpha). NFNets use 0.2, Summers 2021 uses 1.
  """
  name = 'mixup'
  alpha: float = 0.2

  def draw(self, words, height, width):
    share = laws.share(words[0], words[1], self.alpha)
    return {'weight': laws.weight(share, laws.ONE), 'share': share}

  def apply(self, xp, own, partner, draws):
    return blending.blend(xp, own, partner, draws['share'][:, None, None, None])


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoisyMixUp(method.Beta):
  """Mixup whose weight has normal noise of its own at every pixel (Summers 2021 sec. 2.3.3).

  The weight at a pixel, of all its channels, is lambda + N(0, noise_std^2), clipped to [0, 1]; the
  label's is lambda. The noise is one of 65536 quantiles, of which the outermost is 4.3 deviations
  away.

  Attributes:
    noise_std: standard deviation of the noise, in (0, 1]. The thesis says "sigma^2 ... set to
      sqrt(0.025), about 0.16": 0.158 as a deviation is its probable meaning, and 0.398 what it
      says. The public code passes 0.025 as the deviation.
  """
  name = 'noisy_mixup'
  noise_std: float = 0.158

  def __post_init__(self):
    super().__post_init__()
    self.check_number('noise_std', to=1)

  def draw(self, words, height, width):
    share = laws.share(words[0], words[1], self.alpha)
    return {'weight': laws.weight(share, laws.ONE), 'share': share,
            'seed': words[2].view(np.int32)}

  def apply(self, xp, own, partner, draws):
    height, width = own.shape[1:3]
    place = xp.concat(expansion.halves(xp, draws['seed'], height * width), 1)
    noise = xp.take(xp.asarray(_quantiles(self.noise_std), 'int32'), place)
    share = xp.minimum(xp.maximum(draws['share'][:, None] + noise, 0), laws.ONE)
    return blending.blend(xp, own, partner, xp.reshape(share, (-1, height, width, 1)))


@functools.cache
def _quantiles(std: float) -> np.ndarray:
  """Returns int32 [65536]: equally likely values of N(0, std^2), in parts of 1/65536."""
  middles = (np.arange(laws.ONE) + 0.5) / laws.ONE
  return np.rint(scipy.special.ndtri(middles) * (std * laws.ONE)).astype(np.int32)
