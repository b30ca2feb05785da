"""Colour ops on one uint8 image, as PIL computes them; for RandAugment.

Written for XLA, which turns each into one pass over the pixels: in a compiled function they take
0.05 to 0.3 ms at 224x224, a third of what separate TensorFlow ops take. Every result is exact in
the sense of PIL: fractions of 1/100 are cut off, not rounded, as ImageEnhance does, and a compiler
that fuses multiplications with additions cannot move a value over the edge.

All take `xp`, the namespace of the array, and `image`, uint8 [H, W, C] of static shape with 1 or 3
channels, and return one like it.
"""

from collections.abc import Callable
import functools
from typing import Any

import numpy as np

from nfnets_am.data.ops import arrays

# ITU-R 601 luma in 1/65536, as PIL's convert('L').
_LUMA = (19595, 38470, 7471)
# An enhancement factor has two decimals; half a step keeps float errors (5e-5) off the integers.
_GUARD = np.float32(0.005)


def autocontrast(xp: arrays.Namespace, image: Any) -> Any:
  """Stretches each channel to 0..255; a channel of one value stays (ImageOps.autocontrast)."""
  return _look_up(xp, _stretched, image)


def _stretched(xp: arrays.Namespace, image: Any) -> Any:
  low = xp.cast(_extreme(xp, xp.minimum, image), 'int32')[:, None]
  span = xp.cast(_extreme(xp, xp.maximum, image), 'int32')[:, None] - low
  levels = xp.arange(256)[None]
  above = xp.minimum(xp.maximum(levels - low, 0), span)
  patterns, which = _one_less()
  pattern = xp.take(xp.asarray(which, 'int32'), low * 256 + span)
  less = xp.take(xp.asarray(patterns.reshape(-1), 'uint8'), pattern * 256 + above)
  table = above * 255 // xp.maximum(span, 1) - xp.cast(less, 'int32')
  return xp.where(span > 0, table, levels)


def _extreme(xp: arrays.Namespace, of_two: Callable[[Any, Any], Any], image: Any) -> Any:
  """The least or largest value of each channel, [C].

  By halves, which may overlap, laid upon each other: of long vectors, where a reduction of XLA goes
  from value to value.
  """
  height, width, channels = image.shape
  values, pixels = xp.reshape(image, [-1]), height * width
  while pixels > 1:
    half = (pixels + 1) // 2
    values = of_two(values[:half * channels], values[(pixels - half) * channels:])
    pixels = half
  return values


@functools.cache
def _one_less() -> tuple[np.ndarray, np.ndarray]:
  """Where PIL's double precision falls one short of the exact autocontrast.

  It cuts x * (255 / span) - low * (255 / span) to an integer, which at 12,094 of 2.8 million places
  has come out just below the integer that it is. Compilers fuse the product with the sum, and some
  devices have no doubles, so the places are looked up.

  Returns:
    uint8 [P, 256], 1 at the values above `low` that are one short, and int32 [65536], the row of
    low * 256 + span in it.
  """
  # The first pattern is that of most: nowhere.
  short, places = [np.zeros((1, 256), bool)], []
  for span in range(1, 256):
    low, above = np.arange(256 - span)[:, None], np.arange(span + 1)[None]
    scale = 255.0 / span
    found = np.clip(((above + low) * scale + -low * scale).astype(np.int64), 0, 255)
    here = np.pad(found < above * 255 // span, ((0, 0), (0, 255 - span)))
    some = np.flatnonzero(here.any(1))
    short.append(here[some])
    places.append(some * 256 + span)
  packed, number = np.unique(
      np.packbits(np.concatenate(short), axis=1), axis=0, return_inverse=True)
  which = np.zeros(65536, np.int32)
  which[np.concatenate(places)] = number.reshape(-1)[1:]
  return np.unpackbits(packed, axis=1), which


def equalize(xp: arrays.Namespace, image: Any) -> Any:
  """Spreads each channel's histogram evenly (ImageOps.equalize)."""
  return _look_up(xp, _equalized, image)


def _equalized(xp: arrays.Namespace, image: Any) -> Any:
  height, width, channels = image.shape
  size = height * width
  index = xp.cast(image, 'int32') + xp.arange(channels) * 256
  counts = xp.reshape(xp.count(index, 256 * channels), [channels, 256])
  levels = xp.arange(256)[None]
  last = xp.max(xp.where(counts > 0, levels, 0), axis=[1])
  of_last = xp.sum(xp.where(levels == last[:, None], counts, 0), axis=[1])
  step = ((size - of_last) // 255)[:, None]
  below = xp.cumsum(counts, axis=1) - counts
  table = xp.minimum((step // 2 + below) // xp.maximum(step, 1), 255)
  return xp.where(step > 0, table, levels)


def invert(xp: arrays.Namespace, image: Any) -> Any:
  """255 - x."""
  del xp
  return 255 - image


def posterize(xp: arrays.Namespace, image: Any, bits: int) -> Any:
  """Keeps the highest `bits` (0 to 8) of each value."""
  return xp.bitwise_and(image, xp.asarray(256 - (1 << (8 - bits)) & 255, 'uint8'))


def solarize(xp: arrays.Namespace, image: Any, threshold: int) -> Any:
  """Inverts values from `threshold` on; above 255 that is none."""
  return xp.where(xp.cast(image, 'int32') < threshold, image, 255 - image)


def solarize_add(xp: arrays.Namespace, image: Any, addition: int) -> Any:
  """Adds to values below 128, up to 255."""
  added = xp.cast(xp.minimum(xp.cast(image, 'int32') + addition, 255), 'uint8')
  return xp.where(image < 128, added, image)


def color(xp: arrays.Namespace, image: Any, factor: float) -> Any:
  """Blends with the grey image (ImageEnhance.Color); a grey image stays.

  The grey is PIL's luma; that of the published code has the weights .2989, .587 and .114, and its
  results differ by up to 2 of 255.
  """
  if image.shape[-1] == 1:
    return image
  return _blend(xp, _grey(xp, image)[..., None], image, factor)


def contrast(xp: arrays.Namespace, image: Any, factor: float, form: str) -> Any:
  """Blends with one grey.

  Args:
    xp: of the arrays.
    image: uint8 [H, W, C].
    factor: of ImageEnhance.Contrast.
    form: 'fixed' takes the mean of the grey image, as PIL does. 'as_published' takes the number of
      pixels over 256, at most 255, as the code behind NFNets and many others does by a slip: 196
      at 224x224, 255 from 256x256 on.
  """
  size = image.shape[0] * image.shape[1]
  if form == 'as_published':
    grey = xp.asarray(min(size // 256, 255), 'int32')
  else:
    grey = (2 * xp.sum(_grey(xp, image), axis=[0, 1]) + size) // (2 * size)
  return _blend(xp, grey, image, factor)


def brightness(xp: arrays.Namespace, image: Any, factor: float) -> Any:
  """Blends with black (ImageEnhance.Brightness)."""
  return _blend(xp, xp.asarray(0, 'int32'), image, factor)


def sharpness(xp: arrays.Namespace, image: Any, factor: float) -> Any:
  """Blends with the image smoothed by [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13; edges stay.

  ImageEnhance.Sharpness. The smoothed image is rounded, as PIL does; the published code cuts off.
  """
  height, width, channels = image.shape
  if min(height, width) < 3:
    return image
  # Long lines: three channels at a time take several times as long.
  lines = xp.reshape(image, [height, width * channels])
  inside = np.zeros((height, width, channels), bool)
  inside[1:-1, 1:-1] = True

  def of_three(lines):
    # Up to 765. Zeros lie around it, of which only edges would see something.
    x = xp.cast(lines, 'uint16')
    return xp.pad(x[:-2] + x[1:-1] + x[2:], [[1, 1], [channels, channels]])

  def nine(lines):
    sums = xp.made(of_three, lines, [height, (width + 2) * channels], 'uint16')
    return sums[:, :-2 * channels] + sums[:, channels:-channels] + sums[:, 2 * channels:]

  x = xp.cast(lines, 'uint16')
  # Thirteenths of an integer lie at least 1/26 from a half: float32 rounds them to the right side.
  total = xp.cast(nine(lines) + 4 * x, 'float32')
  smooth = xp.floor(total * np.float32(1 / 13) + np.float32(0.5))
  blended = _blend_float(xp, smooth, xp.cast(x, 'float32'), factor)
  inside = xp.asarray(inside.reshape(lines.shape), 'bool')
  return xp.reshape(xp.where(inside, blended, lines), image.shape)


def _look_up(xp: arrays.Namespace, table: Callable[[arrays.Namespace, Any], Any], image: Any
             ) -> Any:
  """The image through the table that it makes, int32 [C, 256], channel by channel."""
  channels = image.shape[-1]
  values = xp.made(lambda image: xp.cast(xp.reshape(table(xp, image), [-1]), 'uint8'), image,
                   [channels * 256], 'uint8')
  return xp.take(values, xp.cast(image, 'int32') + xp.arange(channels) * 256)


def _grey(xp: arrays.Namespace, image: Any) -> Any:
  """int32 [H, W] in 0..255."""
  if image.shape[-1] == 1:
    return xp.cast(image[..., 0], 'int32')
  red, green, blue = (xp.cast(image[..., c], 'int32') for c in range(3))
  return (red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2] + 32768) // 65536


def _blend(xp: arrays.Namespace, start: Any, image: Any, factor: float) -> Any:
  return _blend_float(xp, xp.cast(start, 'float32'), xp.cast(image, 'float32'), factor)


def _blend_float(xp: arrays.Namespace, start: Any, end: Any, factor: float) -> Any:
  """start + factor (end - start), clipped and cut to uint8; factor has two decimals."""
  mixed = start + np.float32(factor) * (end - start) + _GUARD
  return xp.cast(xp.minimum(xp.maximum(mixed, 0.0), 255.0), 'uint8')
