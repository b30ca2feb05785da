"""What passes of a bicubic resize share: which rows they sum, by what weights, and the rounding."""

from typing import Any

from nfnets_am.data import tensorflow

# TensorFlow's op rounds the place between two pixels to so many parts.
_PARTS = 1024


def taps(start: Any, extent: Any, size: int, flipped: Any) -> tuple[list[Any], list[Any]]:
  """Which rows an output row sums, and their weights, for n windows of an axis.

  Args:
    start: int32 [n], first row of each window.
    extent: int32 [n], its rows.
    size: S, output rows.
    flipped: int32 [n], 1 turns their order around.

  Returns:
    Four int32 [n, S], in the windows, and four float32 [n, S].
  """
  tf = tensorflow.import_tensorflow()
  start, extent, flipped = start[:, None], extent[:, None], flipped[:, None]
  out = tf.range(size, dtype=tf.float32)
  out = tf.where(flipped > 0, size - 1 - out, out)
  at = (out + 0.5) * (tf.cast(extent, tf.float32) / size) - 0.5
  low = tf.floor(at)
  part = tf.round((at - low) * _PARTS) / _PARTS
  places = [tf.cast(low, tf.int32) + k for k in range(-1, 3)]
  weights = [_far(1 + part), _near(part), _near(1 - part), _far(2 - part)]
  # Weights of rows outside of the window go to the others.
  weights = [tf.where((index >= 0) & (index < extent), weight, 0.0)
             for index, weight in zip(places, weights, strict=True)]
  total = sum(weights)
  return ([tf.clip_by_value(index, 0, extent - 1) + start for index in places],
          [weight / total for weight in weights])


def to_bytes(pixels: Any) -> Any:
  """float32 to uint8 of the same shape: rounded to even, and clipped."""
  tf = tensorflow.import_tensorflow()
  return tf.saturate_cast(tf.round(pixels), tf.uint8)


def _near(x: Any) -> Any:
  """Keys' kernel with a = -1/2 at a distance of 0 to 1."""
  return (1.5 * x - 2.5) * x * x + 1


def _far(x: Any) -> Any:
  """Keys' kernel with a = -1/2 at a distance of 1 to 2."""
  return ((-0.5 * x + 2.5) * x - 4) * x + 2
