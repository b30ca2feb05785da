"""Pixels, or their elements, each from either image (Summers 2021 sec. 2.3.3)."""

import dataclasses
import math

from nfnets_am.core import errors
from nfnets_am.data.ops.methods import expansion


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Elements(expansion.RandomMask):
  """Each part of an image's elements, in their order, is the row's own with probability lambda."""

  def apply(self, xp, own, partner, draws):
    # Both halves by themselves, as rows of all their elements: with one mask of both, or with a
    # pixel's channels told apart, a CPU goes from element to element.
    shape = own.shape[1:]
    size, count = math.prod(shape), self.parts(*shape[:2])
    rows = [xp.reshape(x, (-1, size)) for x in (own, partner)]
    low, high = expansion.halves(xp, draws['seed'], count, size // count)
    first = low.shape[1]
    mixed = [xp.where(half < draws['share'][:, None], *(x[:, part] for x in rows))
             for half, part in ((low, slice(first)), (high, slice(first, None)))]
    return xp.reshape(xp.concat(mixed, 1), (-1, *shape))


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomPixels(_Elements):
  """Each pixel, with all its channels, is the row's own with probability lambda."""
  name = 'random_pixels'

  def parts(self, height, width):
    return height * width


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomElements(_Elements):
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
    return height * width * self.channels

  def apply(self, xp, own, partner, draws):
    found = own.shape[3]
    if found != self.channels:
      raise errors.ConfigError(f'{self.name} has channels={self.channels}, but mixes images of '
                               f'{found} channels; allowed: channels={found}')
    return super().apply(xp, own, partner, draws)
