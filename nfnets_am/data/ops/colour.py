"""Colour ops on one uint8 image, as PIL computes them; for RandAugment.

Written for XLA, which turns each into one pass over the pixels: in a compiled function they take
0.05 to 0.3 ms at 224x224, a third of what separate TensorFlow ops take. Every result is exact in
the sense of PIL: fractions of 1/100 are cut off, not rounded, as ImageEnhance does, and a compiler
that fuses multiplications with additions cannot move a value over the edge.

All take `image`, a tf.Tensor uint8 [H, W, 3] of static shape, and return one like it.
"""

from typing import Any

import numpy as np

from nfnets_am.data import tensorflow

# ITU-R 601 luma in 1/65536, as PIL's convert('L').
_LUMA = (19595, 38470, 7471)
# An enhancement factor has two decimals; half a step keeps float errors (5e-5) off the integers.
_GUARD = np.float32(0.005)


def autocontrast(image: Any) -> Any:
  """Stretches each channel to 0..255; a channel of one value stays (ImageOps.autocontrast)."""
  tf = tensorflow.import_tensorflow()
  low = tf.reduce_min(image, axis=[0, 1])
  high = tf.reduce_max(image, axis=[0, 1])
  # Tables, since PIL's truncation of double precision has no cheap equal per pixel.
  span = tf.cast(high - low, tf.float64)
  scale = tf.math.divide_no_nan(tf.constant(255.0, tf.float64), span)[:, None]
  levels = tf.range(256, dtype=tf.float64)[None]
  offset = -tf.cast(low, tf.float64)[:, None] * scale
  table = tf.cast(tf.clip_by_value(levels * scale + offset, 0.0, 255.0), tf.uint8)
  identity = tf.cast(levels, tf.uint8)
  return _look_up(tf, tf.where(span[:, None] > 0, table, identity), image)


def equalize(image: Any) -> Any:
  """Spreads each channel's histogram evenly (ImageOps.equalize)."""
  tf = tensorflow.import_tensorflow()
  size = image.shape[0] * image.shape[1]
  index = tf.cast(image, tf.int32) + tf.range(3) * 256
  # Not tf.math.bincount: in a branch of a Dataset's function XLA cannot see its size.
  counts = tf.tensor_scatter_nd_add(
      tf.zeros([3 * 256], tf.int32), tf.reshape(index, [-1, 1]), tf.ones([size * 3], tf.int32))
  counts = tf.reshape(counts, [3, 256])
  levels = tf.range(256)[None]
  last = tf.reduce_max(tf.where(counts > 0, levels, 0), axis=1)
  step = ((size - tf.gather(counts, last, batch_dims=1)) // 255)[:, None]
  below = tf.cumsum(counts, axis=1, exclusive=True)
  table = tf.minimum((step // 2 + below) // tf.maximum(step, 1), 255)
  return _look_up(tf, tf.cast(tf.where(step > 0, table, levels), tf.uint8), image)


def invert(image: Any) -> Any:
  """255 - x."""
  return 255 - image


def posterize(image: Any, bits: int) -> Any:
  """Keeps the highest `bits` (0 to 8) of each value."""
  tf = tensorflow.import_tensorflow()
  return tf.bitwise.bitwise_and(image, tf.constant(256 - (1 << (8 - bits)), tf.uint8))


def solarize(image: Any, threshold: int) -> Any:
  """Inverts values from `threshold` on; above 255 that is none."""
  tf = tensorflow.import_tensorflow()
  return tf.where(tf.cast(image, tf.int32) < threshold, image, 255 - image)


def solarize_add(image: Any, addition: int) -> Any:
  """Adds to values below 128, up to 255."""
  tf = tensorflow.import_tensorflow()
  added = tf.cast(tf.minimum(tf.cast(image, tf.int32) + addition, 255), tf.uint8)
  return tf.where(image < 128, added, image)


def color(image: Any, factor: float) -> Any:
  """Blends with the grey image (ImageEnhance.Color)."""
  tf = tensorflow.import_tensorflow()
  return _blend(tf, _grey(tf, image)[..., None], image, factor)


def contrast(image: Any, factor: float, form: str) -> Any:
  """Blends with one grey.

  Args:
    image: uint8 [H, W, 3].
    factor: of ImageEnhance.Contrast.
    form: 'fixed' takes the mean of the grey image, as PIL does. 'as_published' takes the number of
      pixels over 256, at most 255, as the code behind NFNets and many others does by a slip: 196
      at 224x224, 255 from 256x256 on.
  """
  tf = tensorflow.import_tensorflow()
  size = image.shape[0] * image.shape[1]
  if form == 'as_published':
    grey = tf.constant(min(size // 256, 255), tf.int32)
  else:
    grey = (2 * tf.reduce_sum(_grey(tf, image)) + size) // (2 * size)
  return _blend(tf, grey, image, factor)


def brightness(image: Any, factor: float) -> Any:
  """Blends with black (ImageEnhance.Brightness)."""
  tf = tensorflow.import_tensorflow()
  return _blend(tf, tf.constant(0), image, factor)


def sharpness(image: Any, factor: float) -> Any:
  """Blends with the image smoothed by [[1, 1, 1], [1, 5, 1], [1, 1, 1]] / 13; edges stay.

  ImageEnhance.Sharpness. The smoothed image is rounded, as PIL does; the published code cuts off.
  """
  tf = tensorflow.import_tensorflow()
  height, width, channels = image.shape
  # One long row, which the compiler vectorises; what it wraps around lies in the edge.
  x = tf.cast(tf.reshape(image, [-1]), tf.float32)
  margin = (width + 1) * channels
  padded = tf.pad(x, [[margin, margin]])
  total = 4 * x
  for row in (-1, 0, 1):
    for col in (-1, 0, 1):
      start = margin + (row * width + col) * channels
      total += padded[start:start + height * width * channels]
  smooth = tf.floor(total * np.float32(1 / 13) + np.float32(0.5))
  edge = np.ones((height, width, channels), bool)
  edge[1:-1, 1:-1] = False
  return tf.where(edge, image, tf.reshape(_blend_float(tf, smooth, x, factor), image.shape))


def _look_up(tf: Any, table: Any, image: Any) -> Any:
  """table [3, 256] at the values of each channel."""
  return tf.gather(tf.reshape(table, [-1]), tf.cast(image, tf.int32) + tf.range(3) * 256)


def _grey(tf: Any, image: Any) -> Any:
  """int32 [H, W] in 0..255."""
  red, green, blue = (tf.cast(image[..., c], tf.int32) for c in range(3))
  return (red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2] + 32768) // 65536


def _blend(tf: Any, start: Any, image: Any, factor: float) -> Any:
  return _blend_float(tf, tf.cast(start, tf.float32), tf.cast(image, tf.float32), factor)


def _blend_float(tf: Any, start: Any, end: Any, factor: float) -> Any:
  """start + factor (end - start), clipped and cut to uint8; factor has two decimals."""
  mixed = start + np.float32(factor) * (end - start) + _GUARD
  return tf.cast(tf.clip_by_value(mixed, 0.0, 255.0), tf.uint8)
