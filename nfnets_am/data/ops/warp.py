"""Affine warps of one uint8 image: nearest pixel, grey outside.

A gather that XLA compiles: 0.07 ms at 224x224, of which most is reading pixels; the op
ImageProjectiveTransformV3 takes 0.5 ms and cannot be compiled with its neighbours.
"""

import functools
import math
from typing import Any

import numpy as np

from nfnets_am.data.ops import arrays

FILL = 128


def affine(xp: arrays.Namespace, image: Any, matrix: np.ndarray) -> Any:
  """Moves pixels: output (x, y) shows input (a x + b y + c, d x + e y + f), rounded.

  Pixel centres lie on integers, as in tfa.image and ImageProjectiveTransformV3.

  Args:
    xp: of the arrays.
    image: uint8 [H, W, C], static shape.
    matrix: float32 [6], (a, b, c, d, e, f).

  Returns:
    uint8 [H, W, C]; FILL where the source lies outside.
  """
  height, width, channels = image.shape
  source = _source(tuple(matrix.tolist()), height, width)
  pixels = xp.take(xp.reshape(image, [-1, channels]), xp.asarray(np.maximum(source, 0), 'int32'))
  return xp.where(xp.asarray(source[..., None] >= 0, 'bool'), pixels, xp.asarray(FILL, 'uint8'))


@functools.lru_cache(64)
def _source(matrix: tuple[float, ...], height: int, width: int) -> np.ndarray:
  """int32 [H, W]: the number of the pixel that each one shows, or -1.

  Made here and once, so that every device takes the same of two pixels that are equally near: as
  a processor does that multiplies x and adds without rounding in between.
  """
  x, y = np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float32)[:, None]
  place = []
  for of_x, of_y, constant in (matrix[:3], matrix[3:]):
    # In doubles the product is exact.
    sums = (of_x * x + np.float32(of_y) * y).astype(np.float32) + np.float32(constant)
    # Away from zero at one half, like the op; the border is decided before the cast.
    place.append((np.floor(np.abs(sums) + np.float32(0.5)) * np.sign(sums)).astype(np.int32))
  col, row = place
  inside = (col >= 0) & (col < width) & (row >= 0) & (row < height)
  return np.where(inside, row * width + col, -1).astype(np.int32)


def moved(xp: arrays.Namespace, image: Any, right: int, down: int) -> Any:
  """Shows at (0, 0) what was at (right, down), in whole pixels; FILL outside."""
  (low, below), (left, beyond) = (
      (min(max(by, 0), size), min(max(-by, 0), size))
      for by, size in ((down, image.shape[0]), (right, image.shape[1])))
  height, width, channels = image.shape
  # Of lines: three channels at a time take several times as long.
  lines = xp.reshape(image, [height, width * channels])
  kept = lines[low:height - below, left * channels:(width - beyond) * channels]
  lines = xp.pad(kept, [[below, low], [beyond * channels, left * channels]], FILL)
  return xp.reshape(lines, image.shape)


def shear_x(level: float) -> np.ndarray:
  """Matrix of a shear of rows about the top left corner; level in pixels per row."""
  return np.array([1, level, 0, 0, 1, 0], np.float32)


def shear_y(level: float) -> np.ndarray:
  """Matrix of a shear of columns about the top left corner; level in pixels per column."""
  return np.array([1, 0, 0, level, 1, 0], np.float32)


def rotate(degrees: float, height: int, width: int) -> np.ndarray:
  """Matrix of a rotation about the middle, counter-clockwise on the screen."""
  cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
  x, y = (width - 1) / 2, (height - 1) / 2
  return np.array([cos, -sin, x - cos * x + sin * y, sin, cos, y - sin * x - cos * y], np.float32)


def cutout(xp: arrays.Namespace, image: Any, row: Any, col: Any, reach: int) -> Any:
  """Fills rows [row - reach, row + reach) and columns likewise with FILL, clipped at the border."""
  height, width, _ = image.shape
  rows, cols = xp.arange(height) - row, xp.arange(width) - col
  box = ((rows >= -reach) & (rows < reach))[:, None] & ((cols >= -reach) & (cols < reach))
  return xp.where(box[..., None], xp.asarray(FILL, 'uint8'), image)
