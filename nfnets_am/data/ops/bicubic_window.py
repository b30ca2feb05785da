"""One window resized down and then across, at half the cost of TensorFlow's op.

The op visits the neighbours of every pixel one by one. Here the way down sums 4 whole lines of the
window, as they were decoded, which XLA turns into vector instructions; the way across sums 4 pixels
of what that leaves. For many windows of an image, `bicubic.resize_windows` is cheaper still.
"""

from typing import Any

from nfnets_am.data import tensorflow
from nfnets_am.data.ops import bicubic_taps

# Of larger windows few have a side in common, and each side is compiled once.
LARGEST = 1024
# Longer sides are rounded up to the next such multiple, and one line more is there to be read.
_STEP = 64
# So many lines go down and across at once, and stay in the cache between.
_BLOCK = 16


def resize_flip(window: Any, flipped: Any, size: int) -> Any:
  """Resizes bicubically, and mirrors left to right where `flipped` is 1.

  Args:
    window: tf.Tensor uint8 [h, w, 3], sides of at most LARGEST.
    flipped: int32 scalar, 1 or 0.
    size: S.

  Returns:
    uint8 [S, S, 3]. One value in about 100,000 differs by 1 from the op's.
  """
  tf = tensorflow.import_tensorflow()
  shape = tf.shape(window)
  side = tf.reduce_max(shape) // _STEP * _STEP + _STEP
  # As one axis: two take tf.pad ten times as long, and so does tf.concat.
  values = tf.reshape(window, [-1])
  values = tf.pad(values, [[0, 3 * side * side - tf.size(values)]])
  # A zero that the compiler does not know: it would round the places of the lines otherwise.
  extents = tf.stack([shape[0], shape[1], flipped, 0])
  return tensorflow.compiled(_passes)(tf.reshape(values, [side, -1]), extents, size)


def _passes(padded: Any, extents: Any, size: int) -> Any:
  """uint8 [D, 3 D], in whose values the window's come first, and int32 [4] to uint8 [S, S, 3].

  `extents` are the window's height and width, and whether its columns, and its lines, are turned
  around.
  """
  tf, xla = tensorflow.import_tensorflow(), tensorflow.import_xla()
  values = tf.reshape(padded, [-1])
  # Known to the compiler, and not yet where the graph is made.
  length = 3 * tf.shape(padded)[0]
  height, width, mirrored, upright = tf.unstack(extents)
  # [4, 2, S]: of lines, and of columns. Not sixteen arrays: XLA makes up to eight one after the
  # other in the thread that called, and shares more out to threads for which that one waits.
  starts, weights = (tf.stack(x) for x in bicubic_taps.taps(
      tf.zeros([2], tf.int32), extents[:2], size, tf.stack([upright, mirrored])))
  starts *= tf.stack([3 * width, 3])[:, None]
  rows = min(_BLOCK, size)

  def block(k, image):
    # The last block ends with the image, and may make anew what the one before has made.
    top = tf.minimum(k * rows, size - rows)
    lines, down = (tf.unstack(xla.dynamic_slice(x, [0, 0, top], [4, 1, rows])[:, 0])
                   for x in (starts, weights))
    columns, across = (tf.unstack(x[:, 1]) for x in (starts, weights))
    # Lines are longer than the window's own, and go on into what follows these: no tap reads there.
    # In a branch that is always taken, which XLA cannot know: else it sums lines again for each
    # pixel that uses them.
    narrow = tf.cond(
        height > 0, lambda: _sum(values[None], 1, lines, down, length),
        lambda: tf.zeros(tf.stack([1, rows, length])))
    made = _sum(narrow[0], rows, columns, across, 3)
    return k + 1, xla.dynamic_update_slice(
        image, bicubic_taps.to_bytes(made), tf.stack([top, 0, 0]))

  return tf.while_loop(lambda k, _: k < -(-size // rows), block,
                       (0, tf.zeros([size, size, 3], tf.uint8)))[1]


def _sum(array: Any, rows: int, starts: list[Any], weights: list[Any], length: Any) -> Any:
  """Sums parts of each row of [R, Q], R = `rows`: four int32 and float32 [P] to [R, P, length]."""
  tf, xla = tensorflow.import_tensorflow(), tensorflow.import_xla()
  # Not tf.gather, whose parts lie as far apart as they are long.
  dimensions = xla.xla_data_pb2.GatherDimensionNumbers(
      offset_dims=[0, 2], start_index_map=[1], index_vector_dim=1)
  return sum(
      weight[:, None] * tf.cast(
          xla.gather(array, start[:, None], dimensions, tf.stack([rows, length])), tf.float32)
      for start, weight in zip(starts, weights, strict=True))
