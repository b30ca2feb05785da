"""Bicubic resizing: TensorFlow's op, and the same for many windows of one image at half its cost.

The op visits the neighbours of every pixel one by one. Here a window is resized across and then
down: each pass sums 4 whole rows of an array, which XLA turns into vector instructions, and the
array is transposed between them.
"""

import functools
from typing import Any

from nfnets_am.data import tensorflow

# Sides are padded to multiples of these, since each pair of padded sides is compiled once.
_STEP_HEIGHT, _STEP_WIDTH = 128, 256
# And 4 rows more: where columns lie a round number of bytes apart, the transposition is half as
# fast, since they take each other's place in the cache.
_ODD = 4
# The passes take all rows of the image, so that taller ones gain nothing.
_LARGEST = 1024
# Below so many windows, padding and transposing the image costs more than the passes save.
_FEWEST = 8
# The op rounds the place between two pixels to so many parts.
_PARTS = 1024


def resize(image: Any, height: int, width: int) -> Any:
  """Bicubic (Keys, a = -1/2), without antialiasing, with half-pixel centres.

  Args:
    image: tf.Tensor uint8 [h, w, C], any size.
    height: H.
    width: W.

  Returns:
    uint8 [H, W, C]. Values that the weights push out of 0..255 are clipped, others rounded to even.
  """
  return _to_bytes(_op(image, height, width))


def resize_windows(image: Any, boxes: Any, flipped: Any, size: int, *, total: int) -> Any:
  """Cuts n windows out of an image, resizes each as `resize` does, and mirrors some.

  Args:
    image: tf.Tensor uint8 [H, W, 3], any size.
    boxes: int32 [n, 4]: top, left, height, width of each window, inside the image; n static.
    flipped: int32 [n]: 1 mirrors left to right, 0 does not.
    size: S.
    total: windows of this image on all hosts, which decides on the way: bytes must not depend on
      how the views are shared out.

  Returns:
    uint8 [n, S, S, 3]. From a total of 8 on, one value in about 100,000 differs by 1 from the
    op's, whose sums have another order.
  """
  if total < _FEWEST:
    return _by_op(image, boxes, flipped, size)
  tf = tensorflow.import_tensorflow()
  shape = tf.shape(image)
  return tf.cond(
      (shape[0] <= _LARGEST) & (shape[1] <= _LARGEST),
      lambda: _by_passes(image, boxes, flipped, size),
      lambda: _by_op(image, boxes, flipped, size))


def resize_flip(image: Any, flipped: Any, size: int) -> Any:
  """`resize`, then mirrored where the int32 scalar is 1: uint8 [h, w, 3] to [S, S, 3]."""
  return _compiled(_finish)(_op(image, size, size), flipped)


def _by_op(image: Any, boxes: Any, flipped: Any, size: int) -> Any:
  tf = tensorflow.import_tensorflow()
  views = []
  for i in range(boxes.shape[0]):
    top, left, height, width = tf.unstack(boxes[i])
    window = tf.slice(image, tf.stack([top, left, 0]), tf.stack([height, width, 3]))
    views.append(resize_flip(window, flipped[i], size))
  return tf.stack(views)


def _by_passes(image: Any, boxes: Any, flipped: Any, size: int) -> Any:
  tf = tensorflow.import_tensorflow()
  height, width = tf.unstack(tf.shape(image)[:2])
  padded = tf.pad(
      image, [[0, -height % _STEP_HEIGHT + _ODD], [0, -width % _STEP_WIDTH], [0, 0]])
  # Columns lie in rows, once for all windows.
  columns = _compiled(_turn)(padded)
  views = []
  for i in range(boxes.shape[0]):
    # Three compiled calls: in one, XLA computes the first pass anew for each row of the second.
    narrow = _compiled(_across)(columns, boxes[i], flipped[i], size)
    views.append(_compiled(_down)(_compiled(_turn)(narrow), boxes[i], size))
  return tf.stack(views)


def _turn(array: Any) -> Any:
  """[P, Q, C] to [Q, P, C]; four times as fast as the op outside of XLA."""
  return tensorflow.import_tensorflow().transpose(array, [1, 0, 2])


def _across(columns: Any, box: Any, flipped: Any, size: int) -> Any:
  """uint8 [W, H, 3] to float32 [S, H, 3], the columns of the window."""
  return _sum_rows(columns, box[1], box[3], size, flipped)


def _down(rows: Any, box: Any, size: int) -> Any:
  """float32 [H, S, 3] to uint8 [S, S, 3]."""
  return _to_bytes(_sum_rows(rows, box[0], box[2], size, 0))


def _sum_rows(array: Any, start: Any, extent: Any, size: int, flipped: Any) -> Any:
  """Resizes rows start .. start + extent - 1 of [R, Q, C] to float32 [size, Q, C]."""
  tf = tensorflow.import_tensorflow()
  out = tf.range(size, dtype=tf.float32)
  out = tf.where(flipped > 0, size - 1 - out, out)
  at = (out + 0.5) * (tf.cast(extent, tf.float32) / size) - 0.5
  low = tf.floor(at)
  part = tf.round((at - low) * _PARTS) / _PARTS
  index = tf.cast(low, tf.int32)[:, None] + tf.range(-1, 3)
  weight = tf.stack([_far(1 + part), _near(part), _near(1 - part), _far(2 - part)], axis=-1)
  # Weights of rows outside of the window go to the others.
  weight = tf.where((index >= 0) & (index < extent), weight, 0.0)
  weight /= tf.reduce_sum(weight, axis=-1, keepdims=True)
  index = tf.clip_by_value(index, 0, extent - 1) + start
  # As one axis: loops over 3 channels are not made vector instructions.
  flat = tf.reshape(array, [tf.shape(array)[0], -1])
  total = sum(weight[:, k, None] * tf.cast(tf.gather(flat, index[:, k]), tf.float32)
              for k in range(4))
  return tf.reshape(total, tf.concat([[size], tf.shape(array)[1:]], 0))


def _near(x: Any) -> Any:
  """Keys' kernel with a = -1/2 at a distance of 0 to 1."""
  return (1.5 * x - 2.5) * x * x + 1


def _far(x: Any) -> Any:
  """Keys' kernel with a = -1/2 at a distance of 1 to 2."""
  return ((-0.5 * x + 2.5) * x - 4) * x + 2


def _op(image: Any, height: int, width: int) -> Any:
  return tensorflow.import_tensorflow().raw_ops.ResizeBicubic(
      images=image[None], size=[height, width], half_pixel_centers=True)[0]


def _to_bytes(pixels: Any) -> Any:
  tf = tensorflow.import_tensorflow()
  return tf.saturate_cast(tf.round(pixels), tf.uint8)


def _finish(pixels: Any, flipped: Any) -> Any:
  """float32 [S, S, 3] to bytes, mirrored left to right where the int32 scalar is 1."""
  tf = tensorflow.import_tensorflow()
  image = _to_bytes(pixels)
  return tf.where(flipped > 0, tf.reverse(image, [1]), image)


@functools.cache
def _compiled(fn: Any) -> Any:
  """Compiles for every set of shapes that it meets."""
  return tensorflow.import_tensorflow().function(
      fn, jit_compile=True, autograph=False)
