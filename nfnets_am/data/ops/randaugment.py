"""RandAugment (Cubuk et al. 2020) as the NFNet pipeline uses it, without state.

The draws of a view are a few integers made by numpy from counters; applying them is a pure
function of one image. Each of `num_ops` layers takes one of 16 ops, all equally likely, at one
fixed magnitude; a coin gives a sign to the geometric ones.
"""

from collections.abc import Callable
import dataclasses
from typing import Any
from typing import ClassVar

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws as draws_lib
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import base
from nfnets_am.data.ops import colour
from nfnets_am.data.ops import warp

FORMS = ('as_published', 'fixed')
# The published order; a draw is a position in it.
OPS = ('autocontrast', 'equalize', 'invert', 'rotate', 'posterize', 'solarize', 'color', 'contrast',
       'brightness', 'sharpness', 'shear_x', 'shear_y', 'translate_x', 'translate_y', 'cutout',
       'solarize_add')


@dataclasses.dataclass(frozen=True, kw_only=True)
class Levels:
  """What a magnitude means to each op, published maps, m / 10 of its maximum; see `levels`."""
  degrees: float
  shear: float
  translate: int
  bits: int
  solarize: int
  addition: int
  factor: float
  cutout: int


def levels(magnitude: int) -> Levels:
  """Returns the arguments of the ops at a magnitude; above 10 they extrapolate.

  Translation (up to 100 pixels at magnitude 10) and cutout (a square of 2 * 40) do not scale with
  the image, as published.
  """
  m = magnitude
  return Levels(degrees=3.0 * m, shear=0.03 * m, translate=10 * m, bits=4 * m // 10,
                solarize=256 * m // 10, addition=110 * m // 10, factor=(18 * m + 10) / 100,
                cutout=40 * m // 10)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandAugment(base.Op):
  """num_ops random ops on a uint8 image of 1 or 3 channels.

  Attributes:
    num_ops: layers; NFNets use 4.
    magnitude: 0 to 20; NFNet-F0 uses 5, F1 and F2 10, larger ones 15.
    contrast: 'fixed' blends with the mean as PIL does, 'as_published' with a grey that depends on
      the image size alone (see colour.contrast).
    solarize: 'fixed' leaves everything as it is for thresholds above 255, which magnitudes from 10
      on ask for. 'as_published' takes the threshold modulo 256, which is what a uint8 comparison
      made of it: all values are inverted at magnitude 10, those from 128 on at 15.
  """
  works_on: ClassVar[tuple[str, ...]] = (base.BYTES,)
  num_ops: int = 4
  magnitude: int = 10
  contrast: str
  solarize: str = 'fixed'

  def __post_init__(self):
    if type(self.num_ops) is not int or self.num_ops < 1:
      raise errors.ConfigError(
          f'randaugment has num_ops={self.num_ops!r}; allowed: integers from 1')
    if type(self.magnitude) is not int or not 0 <= self.magnitude <= 20:
      raise errors.ConfigError(
          f'randaugment has magnitude={self.magnitude!r}; allowed: integers from 0 to 20')
    for key in ('contrast', 'solarize'):
      if getattr(self, key) not in FORMS:
        raise errors.ConfigError(
            f'randaugment has {key}={getattr(self, key)!r}; allowed: {", ".join(FORMS)}')

  @property
  def blocks(self) -> int:
    """One for each layer."""
    return self.num_ops

  def draw(self, words, height, width):
    """Returns int32 [R, num_ops] each: 'op' (position in OPS), 'sign' (-1 or 1), 'row' and 'col'
    (middle of the cutout square, in pixels). Layer i takes block i of the row's random words."""
    words = np.moveaxis(words.reshape(self.num_ops, 4, -1), 0, -1)
    return {'op': draws_lib.integers(words[0], len(OPS)),
            'sign': 1 - 2 * (words[1] >> 31).astype(np.int32),
            'row': draws_lib.integers(words[2], height),
            'col': draws_lib.integers(words[3], width)}

  def apply(self, xp, images, draws):
    if images.shape[0] == 1:
      return self.apply_image(xp, images[0], {k: v[0] for k, v in draws.items()})[None]
    return xp.map(lambda row: self.apply_image(xp, row[0], row[1]), (images, dict(draws)))

  def apply_image(self, xp: arrays.Namespace, image: Any, draws: dict[str, Any]) -> Any:
    """Applies the layers to one view; meant to be compiled by XLA.

    Args:
      xp: of the arrays.
      image: uint8 [H, W, C], static shape.
      draws: a row of the draws, int32 [num_ops] each.

    Returns:
      uint8 [H, W, C].
    """
    def layer(i, image):
      return self.apply_op(xp, image, draws['op'][i], draws['sign'][i], draws['row'][i],
                           draws['col'][i])

    # A loop, so that the 16 branches are compiled once and not once per layer.
    return xp.repeat(self.num_ops, layer, image)

  def apply_op(self, xp: arrays.Namespace, image: Any, op: Any, sign: Any, row: Any, col: Any
               ) -> Any:
    """Applies one layer: op `OPS[op]`, int32 scalars, to uint8 [H, W, C]."""
    return xp.switch(op, self._branches(xp, image, sign, row, col))

  def _branches(self, xp: arrays.Namespace, image: Any, sign: Any, row: Any, col: Any
                ) -> list[Callable[[], Any]]:
    height, width, _ = image.shape
    level = levels(self.magnitude)
    threshold = level.solarize % 256 if self.solarize == 'as_published' else level.solarize

    def signed(apply):
      return lambda: xp.switch(
          xp.cast(sign > 0, 'int32'), [lambda: apply(-1), lambda: apply(1)])

    def affine(matrix):
      return signed(lambda s: warp.affine(xp, image, matrix(s)))

    branches = {
        'autocontrast': lambda: colour.autocontrast(xp, image),
        'equalize': lambda: colour.equalize(xp, image),
        'invert': lambda: colour.invert(xp, image),
        'rotate': affine(lambda s: warp.rotate(s * level.degrees, height, width)),
        'posterize': lambda: colour.posterize(xp, image, level.bits),
        'solarize': lambda: colour.solarize(xp, image, threshold),
        'color': lambda: colour.color(xp, image, level.factor),
        'contrast': lambda: colour.contrast(xp, image, level.factor, self.contrast),
        'brightness': lambda: colour.brightness(xp, image, level.factor),
        'sharpness': lambda: colour.sharpness(xp, image, level.factor),
        'shear_x': affine(lambda s: warp.shear_x(s * level.shear)),
        'shear_y': affine(lambda s: warp.shear_y(s * level.shear)),
        'translate_x': signed(lambda s: warp.moved(xp, image, s * level.translate, 0)),
        'translate_y': signed(lambda s: warp.moved(xp, image, 0, s * level.translate)),
        'cutout': lambda: warp.cutout(xp, image, row, col, level.cutout),
        'solarize_add': lambda: colour.solarize_add(xp, image, level.addition),
    }
    return [branches[name] for name in OPS]
