"""CutMix, as NFNets do it."""

import dataclasses

import numpy as np

from nfnets_am.data import draws as draws_lib
from nfnets_am.data.ops.methods import blending
from nfnets_am.data.ops.methods import method


@dataclasses.dataclass(frozen=True, kw_only=True)
class CutMix(method.Masked):
  """The row's own image inside a box, its partner outside (Yun et al. 2019, as NFNets do it).

  With lambda uniform in [0, 1), the box reaches int(sqrt(1 - lambda) S) // 2 pixels to either side
  of a uniform centre and is clipped at the border. The weight is the box's share of the pixels
  that it really covers, 0.32 on average: the public code pastes the row's own image as the patch.
  """
  name = 'cutmix'

  def draw(self, words, height, width):
    ratio = np.sqrt(1 - draws_lib.uniform(words[0]))
    box = {}
    for low, high, word, size in (('top', 'bottom', words[1], height),
                                  ('left', 'right', words[2], width)):
      centre = draws_lib.integers(word, size)
      reach = (ratio * np.float32(size)).astype(np.int32) // 2
      box[low], box[high] = np.maximum(centre - reach, 0), np.minimum(centre + reach, size)
    area = (box['bottom'] - box['top']) * (box['right'] - box['left'])
    return {'weight': (area / (height * width)).astype(np.float32), **box}

  def owned(self, xp, draws, shape):
    return blending.box(xp, draws, shape)
