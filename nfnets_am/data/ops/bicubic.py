"""Bicubic resizing: TensorFlow's op, and the same for many windows of one image at half its cost.

The op visits the neighbours of every pixel one by one. Here a window of many is resized across and
then down: each pass sums 4 whole rows of an array, which XLA turns into vector instructions, and
the array is transposed between them. One of few windows goes down and then across
(bicubic_window.py).
"""

from collections.abc import Callable
from typing import Any

from nfnets_am.data import tensorflow
from nfnets_am.data.ops import bicubic_taps
from nfnets_am.data.ops import bicubic_window

# Sides are padded to multiples of these, since each pair of padded sides is compiled once.
_STEP_HEIGHT, _STEP_WIDTH = 128, 256
# And 4 rows more: where columns lie a round number of bytes apart, the transposition is half as
# fast, since they take each other's place in the cache.
_ODD = 4
# Of larger images few have padded sides in common.
_LARGEST = 1024
# So many rows, a part of _STEP_HEIGHT, go through the first pass at once, and stay in the cache
# until they are turned.
_BLOCK = 64
# Below so many windows, padding and transposing the image costs more than the passes save.
_FEWEST = 8


def resize(image: Any, height: int, width: int) -> Any:
  """Bicubic (Keys, a = -1/2), without antialiasing, with half-pixel centres.

  Args:
    image: tf.Tensor uint8 [h, w, C], any size.
    height: H.
    width: W.

  Returns:
    uint8 [H, W, C]. Values that the weights push out of 0..255 are clipped, others rounded to even.
  """
  return bicubic_taps.to_bytes(_op(image, height, width))


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
    uint8 [n, S, S, 3]. One value in about 100,000 differs by 1 from the op's, whose sums have
    another order or other rounding.
  """
  if total < _FEWEST:
    return _one_by_one(resize_flip, image, boxes, flipped, size)
  tf = tensorflow.import_tensorflow()
  shape = tf.shape(image)
  return tf.cond(
      (shape[0] <= _LARGEST) & (shape[1] <= _LARGEST),
      lambda: _by_passes(image, boxes, flipped, size),
      lambda: _one_by_one(_by_op, image, boxes, flipped, size))


def resize_flip(image: Any, flipped: Any, size: int) -> Any:
  """`resize`, then mirrored where the int32 scalar is 1: uint8 [h, w, 3] to [S, S, 3].

  One value in about 100,000 differs by 1 from `resize`'s.
  """
  tf = tensorflow.import_tensorflow()
  return tf.cond(
      tf.reduce_max(tf.shape(image)) <= bicubic_window.LARGEST,
      lambda: bicubic_window.resize_flip(image, flipped, size),
      lambda: _by_op(image, flipped, size))


def _by_op(image: Any, flipped: Any, size: int) -> Any:
  """`resize_flip` of windows of any size, and in fewer ops of the graph."""
  return tensorflow.compiled(_finish)(_op(image, size, size), flipped)


def _one_by_one(resized: Callable[..., Any], image: Any, boxes: Any, flipped: Any, size: int
                ) -> Any:
  tf = tensorflow.import_tensorflow()
  views = []
  for i in range(boxes.shape[0]):
    top, left, height, width = tf.unstack(boxes[i])
    window = tf.slice(image, tf.stack([top, left, 0]), tf.stack([height, width, 3]))
    views.append(resized(window, flipped[i], size))
  return tf.stack(views)


def _by_passes(image: Any, boxes: Any, flipped: Any, size: int) -> Any:
  tf = tensorflow.import_tensorflow()
  # Zeros that the compiler does not know: it would round the places of the rows otherwise.
  flips = tf.stack([flipped, tf.zeros_like(flipped)])
  return tensorflow.compiled(_passes)(_padded(image), boxes, flips, size)


def _padded(image: Any) -> Any:
  """uint8 [H, W, 3] with zeros behind its rows and columns, by ops that copy whole lines."""
  tf = tensorflow.import_tensorflow()
  height, width = tf.unstack(tf.shape(image)[:2])
  below, beyond = -height % _STEP_HEIGHT + _ODD, -width % _STEP_WIDTH
  lines = tf.concat([tf.reshape(image, [height, 3 * width]),
                     tf.zeros([height, 3 * beyond], tf.uint8)], 1)
  lines = tf.concat([lines, tf.zeros([below, 3 * (width + beyond)], tf.uint8)], 0)
  return tf.reshape(lines, [height + below, width + beyond, 3])


def _passes(image: Any, boxes: Any, flips: Any, size: int) -> Any:
  """uint8 [H, W, 3] of padded shape, int32 [n, 4], int32 [2, n] to uint8 [n, S, S, 3].

  `flips` says of each window whether its columns, and whether its rows, are turned around.
  """
  tf, xla = tensorflow.import_tensorflow(), tensorflow.import_xla()
  # Known to the compiler, and not yet where the graph is made.
  height = tf.shape(image)[0]
  # Columns lie in rows, once for all windows.
  columns = _turn(image)
  # No more rows than a window has go through the first pass, in blocks.
  blocks = (boxes[:, 2] + _BLOCK - 1) // _BLOCK
  first = tf.minimum(boxes[:, 0], height - blocks * _BLOCK)
  across = bicubic_taps.taps(boxes[:, 1], boxes[:, 3], size, flips[0])
  down = bicubic_taps.taps(boxes[:, 0] - first, boxes[:, 2], size, flips[1])
  of_view = lambda taps, i: tf.nest.map_structure(lambda x: x[i], taps)

  def narrow(i, k, rows):
    # Not tf.slice, for which XLA would compile anew for every place.
    part = xla.dynamic_slice(columns, [0, first[i] + k * _BLOCK, 0],
                             tf.stack([tf.shape(columns)[0], _BLOCK, 3]))
    part = tf.ensure_shape(part, [None, _BLOCK, 3])
    # In a branch that is always taken, which XLA cannot know: else it makes one loop of the sum and
    # of what turns it, value by value.
    made = tf.cond(blocks[i] > 0, lambda: _sum_rows(part, *of_view(across, i)),
                   lambda: tf.zeros([size, _BLOCK, 3]))
    return k + 1, rows.write(k, _turn(made))

  def view(i, rows, views):
    _, rows = tf.while_loop(
        lambda k, _: k < blocks[i], lambda k, rows: narrow(i, k, rows), (0, rows))
    made = _sum_rows(tf.reshape(rows.stack(), [-1, size, 3]), *of_view(down, i))
    return i + 1, rows, views.write(i, bicubic_taps.to_bytes(made))

  count = boxes.shape[0]
  rows = tf.TensorArray(tf.float32, height // _BLOCK, element_shape=[_BLOCK, size, 3])
  views = tf.TensorArray(tf.uint8, count, element_shape=[size, size, 3])
  return tf.while_loop(lambda i, *_: i < count, view, (0, rows, views))[-1].stack()


def _turn(array: Any) -> Any:
  """[P, Q, C] to [Q, P, C]."""
  return tensorflow.import_tensorflow().transpose(array, [1, 0, 2])


def _sum_rows(array: Any, places: list[Any], weights: list[Any]) -> Any:
  """Sums rows of [R, Q, C], R unknown: four int32 [S] and four float32 [S] to float32 [S, Q, C]."""
  tf = tensorflow.import_tensorflow()
  _, length, channels = array.shape
  # As one axis: loops over 3 channels are not made vector instructions.
  flat = tf.reshape(array, [-1, length * channels])
  total = sum(weight[:, None] * tf.cast(tf.gather(flat, index), tf.float32)
              for index, weight in zip(places, weights, strict=True))
  return tf.reshape(total, [-1, length, channels])


def _op(image: Any, height: int, width: int) -> Any:
  return tensorflow.import_tensorflow().raw_ops.ResizeBicubic(
      images=image[None], size=[height, width], half_pixel_centers=True)[0]


def _finish(pixels: Any, flipped: Any) -> Any:
  """float32 [S, S, 3] to bytes, mirrored left to right where the int32 scalar is 1."""
  tf = tensorflow.import_tensorflow()
  image = bicubic_taps.to_bytes(pixels)
  return tf.where(flipped > 0, tf.reverse(image, [1]), image)
