"""The array namespaces in which pixels are worked on: TensorFlow on the host, JAX on the device.

An op is written once, with Python's operators and the functions below, and gives the same bytes in
both: integers wherever a rounding could tell them apart. Ops on floats run in JAX alone.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools
from typing import Any
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.data import tensorflow

_GOLDEN = 0x9E3779B9


class Namespace(Protocol):
  """What ops may use; arrays are the namespace's own, dtypes are names such as 'uint8'.

  Where a function has no docstring it is numpy's of that name. `shape` of every array is static,
  but for the number of rows on the host.
  """

  def asarray(self, x: Any, dtype: str) -> Any: ...

  def arange(self, size: int) -> Any:
    """Returns int32 [size]."""

  def cast(self, x: Any, dtype: str) -> Any: ...

  def where(self, condition: Any, x: Any, y: Any) -> Any: ...

  def minimum(self, x: Any, y: Any) -> Any: ...

  def maximum(self, x: Any, y: Any) -> Any: ...

  def floor(self, x: Any) -> Any: ...

  def sqrt(self, x: Any) -> Any: ...

  def sum(self, x: Any, axis: Sequence[int]) -> Any:
    """Returns the sum in the dtype of `x`: cast bytes before."""

  def max(self, x: Any, axis: Sequence[int]) -> Any: ...

  def cumsum(self, x: Any, axis: int) -> Any:
    """Returns the sums of all elements up to and with each."""

  def concat(self, xs: Sequence[Any], axis: int) -> Any: ...

  def reshape(self, x: Any, shape: Sequence[int]) -> Any: ...

  def pad(self, x: Any, widths: Sequence[tuple[int, int]], value: int = 0) -> Any:
    """Pads with a value."""

  def take(self, x: Any, index: Any) -> Any:
    """Returns x[index] along the first axis; index int32 [...], in range."""

  def pixels(self, images: Any, index: Any, rows: Any, cols: Any) -> Any:
    """Returns images[index[r], rows[r, h, w], cols[r, h, w]].

    Args:
      images: [N, H, W, C].
      index: int32 [R] in [0, N), or None for row r of image r.
      rows: int32, broadcastable to [R, H', W'], clipped to [0, H).
      cols: int32, likewise, clipped to [0, W).

    Returns:
      [R, H', W', C].
    """

  def count(self, index: Any, size: int) -> Any:
    """Returns int32 [size]: how often each number stands in `index`, int32 of any shape."""

  def bitwise_and(self, x: Any, y: Any) -> Any: ...

  def bitwise_xor(self, x: Any, y: Any) -> Any: ...

  def right_shift(self, x: Any, places: int) -> Any:
    """Shifts uint32 to the right; zeros come in."""

  def switch(self, index: Any, branches: Sequence[Callable[[], Any]]) -> Any:
    """Returns what branch number `index` gives; int32 scalar, in range."""

  def repeat(self, times: int, step: Callable[[Any, Any], Any], start: Any) -> Any:
    """Returns step(times - 1, ... step(0, start)), compiled once."""

  def whole(self, fn: Callable[[Any], Any], x: Any, index: Any) -> Any:
    """Returns fn(x), an array that is made as a whole before it is used; index int32 [R] from 0."""

  def made(self, fn: Callable[[Any], Any], x: Any, shape: Sequence[int], dtype: str) -> Any:
    """Returns fn(x), of a static shape, which a CPU makes as a whole before it is used.

    For what is read more than once: XLA makes one loop of an array and of what uses it, and in it
    makes every element anew each time that it is read, one by one, as of a table for each pixel.

    Args:
      fn: what makes it.
      x: uint8, not empty.
      shape: of the result.
      dtype: of the result.
    """

  def map(self, fn: Callable[[Any], Any], rows: Any) -> Any:
    """Returns fn of every row, stacked: rows a tree of [R, ...], fn's result uint8 [...]."""


class _TensorFlow:
  """See Namespace."""

  def __init__(self):
    tf = self._tf = tensorflow.import_tensorflow()
    self.where, self.minimum, self.maximum = tf.where, tf.minimum, tf.maximum
    self.floor, self.sqrt = tf.floor, tf.sqrt
    self.concat, self.reshape = tf.concat, tf.reshape
    self.cast, self.arange, self.cumsum = tf.cast, tf.range, tf.cumsum
    self.bitwise_and, self.bitwise_xor = tf.bitwise.bitwise_and, tf.bitwise.bitwise_xor
    self.switch = tf.switch_case

  def asarray(self, x, dtype):
    return self._tf.constant(np.asarray(x, dtype))

  def pad(self, x, widths, value=0):
    return self._tf.pad(x, widths, constant_values=value)

  def sum(self, x, axis):
    return self._tf.reduce_sum(x, axis)

  def max(self, x, axis):
    return self._tf.reduce_max(x, axis)

  def take(self, x, index):
    return self._tf.gather(x, index)

  def pixels(self, images, index, rows, cols):
    # One index of whole pixels, of which a batch has far fewer than 2**31. Compiled by XLA it takes
    # 0.9 us per 32x32x3 view on one core; `gather_nd` that ignores bad indices 3.5.
    tf = self._tf
    height, width, channels = images.shape[1:]
    index = tf.range(tf.shape(images)[0]) if index is None else index
    rows, cols = tf.clip_by_value(rows, 0, height - 1), tf.clip_by_value(cols, 0, width - 1)
    return tf.gather(tf.reshape(images, [-1, channels]),
                     index[:, None, None] * (height * width) + rows * width + cols)

  def count(self, index, size):
    # Not tf.math.bincount: in a branch of a Dataset's function XLA cannot see its size.
    tf = self._tf
    index = tf.reshape(index, [-1, 1])
    return tf.tensor_scatter_nd_add(
        tf.zeros([size], tf.int32), index, tf.ones_like(index[:, 0]))

  def right_shift(self, x, places):
    return self._tf.bitwise.right_shift(x, self._tf.constant(places, self._tf.uint32))

  def repeat(self, times, step, start):
    tf = self._tf
    return tf.while_loop(lambda i, _: i < times, lambda i, x: (i + 1, step(i, x)),
                         (tf.constant(0), start), maximum_iterations=times)[1]

  def whole(self, fn, x, index):
    return fn(x)

  def made(self, fn, x, shape, dtype):
    # In a branch that is always taken, which XLA cannot know: nothing else keeps it from it.
    tf = self._tf
    return tf.cond(tf.cast(tf.reshape(x, [-1])[0], tf.int32) < 256,
                   lambda: fn(x), lambda: tf.zeros(shape, dtype))

  def map(self, fn, rows):
    return self._tf.map_fn(fn, rows, fn_output_signature=self._tf.uint8)


class _Jax:
  """See Namespace."""

  where, minimum, maximum = (staticmethod(f) for f in (jnp.where, jnp.minimum, jnp.maximum))
  floor, sqrt = (staticmethod(f) for f in (jnp.floor, jnp.sqrt))
  concat, reshape = (staticmethod(f) for f in (jnp.concatenate, jnp.reshape))
  asarray, cumsum = (staticmethod(f) for f in (jnp.asarray, jnp.cumsum))
  bitwise_and, bitwise_xor = (staticmethod(f) for f in (jnp.bitwise_and, jnp.bitwise_xor))
  switch = staticmethod(jax.lax.switch)

  def arange(self, size):
    return jnp.arange(size, dtype='int32')

  def cast(self, x, dtype):
    return x.astype(dtype)

  def pad(self, x, widths, value=0):
    return jnp.pad(x, widths, constant_values=value)

  def sum(self, x, axis):
    return jnp.sum(x, tuple(axis), dtype=x.dtype)

  def max(self, x, axis):
    return jnp.max(x, tuple(axis))

  def take(self, x, index):
    return x.at[index].get(mode='clip')

  def pixels(self, images, index, rows, cols):
    # Out-of-bounds gathers that fill are four times slower on the CPU than those that clip.
    index = jnp.arange(images.shape[0]) if index is None else index
    return images.at[index[:, None, None], rows, cols].get(mode='clip')

  def count(self, index, size):
    return jnp.zeros(size, 'int32').at[index.reshape(-1)].add(1)

  def right_shift(self, x, places):
    return jax.lax.shift_right_logical(x, jnp.uint32(places))

  def repeat(self, times, step, start):
    return jax.lax.fori_loop(0, times, step, start)

  def whole(self, fn, x, index):
    # In a branch that is always taken, which XLA cannot know: else it makes, on a CPU, one loop of
    # the gather and of all that use it, pixel by pixel, which takes five times as long.
    shape = jax.eval_shape(fn, x)
    other = lambda x: jnp.zeros(shape.shape, shape.dtype)
    return jax.lax.platform_dependent(
        x, index, cpu=lambda x, index: jax.lax.cond(index[0] >= 0, fn, other, x),
        default=lambda x, index: fn(x))

  def made(self, fn, x, shape, dtype):
    def on_cpu(x):
      return jax.lax.cond(x.reshape(-1)[0].astype('int32') < 256, fn,
                          lambda x: jnp.zeros(shape, dtype), x)

    return jax.lax.platform_dependent(x, cpu=on_cpu, default=fn)

  def map(self, fn, rows):
    # One row after another takes the branch it needs; side by side they take all of them, which a
    # machine with thousands of lanes does at once.
    return jax.lax.platform_dependent(
        rows, cpu=functools.partial(jax.lax.map, fn), default=jax.vmap(fn))


JAX: Namespace = _Jax()


@functools.cache
def tf() -> Namespace:
  """Returns TensorFlow's namespace; raises errors.UserError where it is not installed."""
  return _TensorFlow()


def words(xp: Namespace, seed: Any, count: int, times: int = 1) -> Any:
  """Expands a drawn word into many, where a host would take longer to draw them than to use them.

  The finaliser "lowbias32" (Wellons 2018) of a Weyl sequence, twice: for masks, not for science.

  Args:
    xp: the namespace.
    seed: int32 [R], all 32 bits random.
    count: of words for each seed.
    times: how often each word stands in a row. Made three times it takes a CPU a third of the time
      of being copied to three places.

  Returns:
    uint32 [R, count times], uniform; the same in every namespace.
  """
  position = np.repeat(np.arange(count, dtype=np.uint32) * np.uint32(_GOLDEN), times)
  return _mix(xp, _mix(xp, xp.cast(seed, 'uint32'))[:, None] + xp.asarray(position[None], 'uint32'))


def _mix(xp: Namespace, x: Any) -> Any:
  for places, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
    x = xp.bitwise_xor(x, xp.right_shift(x, places)) * xp.asarray(factor, 'uint32')
  return xp.bitwise_xor(x, xp.right_shift(x, 16))
