"""Pixels, or their elements, each from either image (Summers 2021 sec. 2.3.3)."""

import dataclasses

from nfnets_am.core import errors
from nfnets_am.data.ops.methods import expansion


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomPixels(expansion.RandomMask):
  """Each pixel, with all its channels, is the row's own with probability lambda."""
  name = 'random_pixels'

  def parts(self, height, width):
    return height, width, 1


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomElements(expansion.RandomMask):
  """Each channel of each pixel is the row's own with probability lambda.

  Attributes:
    channels: C of the images, so that the drawn weight is that of the elements that they hold.
  """
  name = 'random_elements'
  channels: int = 3

  def __post_init__(self):
    super().__post_init__()
    if type(self.channels) is not int or self.channels < 1:
      self.refuse('channels', 'integers from 1')

  def parts(self, height, width):
    return height, width, self.channels

  def owned(self, xp, draws, shape):
    if shape[2] != self.channels:
      raise errors.ConfigError(f'{self.name} has channels={self.channels}, but mixes images of '
                               f'{shape[2]} channels; allowed: channels={shape[2]}')
    return super().owned(xp, draws, shape)
