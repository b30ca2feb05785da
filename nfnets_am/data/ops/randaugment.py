"""RandAugment (Cubuk et al. 2020) as the NFNet pipeline uses it, without state.

The draws of a view are a few integers made by numpy from counters; applying them is a pure
function of one image. Each of `num_ops` layers takes one of 16 ops, all equally likely, at one
fixed magnitude; a coin gives a sign to the geometric ones.
"""

from collections.abc import Callable
import dataclasses
from typing import Any

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws as draws_lib
from nfnets_am.data import tensorflow
from nfnets_am.data import views
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
  translate: float
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
  return Levels(degrees=3.0 * m, shear=0.03 * m, translate=10.0 * m, bits=4 * m // 10,
                solarize=256 * m // 10, addition=110 * m // 10, factor=(18 * m + 10) / 100,
                cutout=40 * m // 10)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandAugment:
  """num_ops random ops on a uint8 image.

  Attributes:
    num_ops: layers; NFNets use 4.
    magnitude: 0 to 20; NFNet-F0 uses 5, F1 and F2 10, larger ones 15.
    contrast: 'fixed' blends with the mean as PIL does, 'as_published' with a grey that depends on
      the image size alone (see colour.contrast).
    solarize: 'fixed' leaves everything as it is for thresholds above 255, which magnitudes from 10
      on ask for. 'as_published' takes the threshold modulo 256, which is what a uint8 comparison
      made of it: all values are inverted at magnitude 10, those from 128 on at 15.
  """
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

  def draws(self, augment_seed: int, rows: views.Rows, height: int, width: int
            ) -> dict[str, np.ndarray]:
    """Draws of R views.

    Args:
      augment_seed: in [0, 2**32).
      rows: example, epoch and view of each row, int32 [R].
      height: H of the crops.
      width: W of the crops.

    Returns:
      int32 [R, num_ops] each: 'op' (position in OPS), 'sign' (-1 or 1), 'row' and 'col' (middle of
      the cutout square, in pixels). Layer i takes block i of the row's random words.
    """
    words = np.stack([
        draws_lib.view_words(augment_seed, ['randaugment'], rows.epoch, rows.example, rows.view,
                             block=i)[0]
        for i in range(self.num_ops)], axis=-1)
    return {'op': draws_lib.integers(words[0], len(OPS)),
            'sign': 1 - 2 * (words[1] >> 31).astype(np.int32),
            'row': draws_lib.integers(words[2], height),
            'col': draws_lib.integers(words[3], width)}

  def apply(self, image: Any, draws: dict[str, Any]) -> Any:
    """Applies the layers of one view; meant to be compiled by XLA.

    Args:
      image: tf.Tensor uint8 [H, W, 3], static shape.
      draws: a row of `draws`, int32 [num_ops] each.

    Returns:
      uint8 [H, W, 3].
    """
    tf = tensorflow.import_tensorflow()

    def layer(i, image):
      return i + 1, self.apply_op(image, draws['op'][i], draws['sign'][i], draws['row'][i],
                                  draws['col'][i])

    # A loop, so that the 16 branches are compiled once and not once per layer.
    return tf.while_loop(lambda i, _: i < self.num_ops, layer, (tf.constant(0), image),
                         maximum_iterations=self.num_ops)[1]

  def apply_op(self, image: Any, op: Any, sign: Any, row: Any, col: Any) -> Any:
    """Applies one layer: op `OPS[op]`, int32 scalars, to uint8 [H, W, 3]."""
    tf = tensorflow.import_tensorflow()
    return tf.switch_case(op, self._branches(image, sign, row, col))

  def _branches(self, image: Any, sign: Any, row: Any, col: Any) -> list[Callable[[], Any]]:
    tf = tensorflow.import_tensorflow()
    height, width, _ = image.shape
    level = levels(self.magnitude)
    threshold = level.solarize % 256 if self.solarize == 'as_published' else level.solarize
    signed = lambda matrix: lambda: warp.affine(
        image, tf.where(sign > 0, matrix(1), matrix(-1)))
    branches = {
        'autocontrast': lambda: colour.autocontrast(image),
        'equalize': lambda: colour.equalize(image),
        'invert': lambda: colour.invert(image),
        'rotate': signed(lambda s: warp.rotate(s * level.degrees, height, width)),
        'posterize': lambda: colour.posterize(image, level.bits),
        'solarize': lambda: colour.solarize(image, threshold),
        'color': lambda: colour.color(image, level.factor),
        'contrast': lambda: colour.contrast(image, level.factor, self.contrast),
        'brightness': lambda: colour.brightness(image, level.factor),
        'sharpness': lambda: colour.sharpness(image, level.factor),
        'shear_x': signed(lambda s: warp.shear_x(s * level.shear)),
        'shear_y': signed(lambda s: warp.shear_y(s * level.shear)),
        'translate_x': signed(lambda s: warp.translate(s * level.translate, 0)),
        'translate_y': signed(lambda s: warp.translate(0, s * level.translate)),
        'cutout': lambda: warp.cutout(image, row, col, level.cutout),
        'solarize_add': lambda: colour.solarize_add(image, level.addition),
    }
    return [branches[name] for name in OPS]
