"""Max-pooling whose gradient is fast on a CPU too, to the bit the same.

XLA's CPU backend (jax 0.10.2) looks for the greatest pixel of every window with its place, and
scatters: 20 to 40 times what pooling takes itself. There the gradient is written out; other devices
have JAX's own. docs/performance.md has what it saves.
"""

from collections.abc import Sequence
import functools

import jax
import jax.numpy as jnp
import numpy as np

Padding = str | Sequence[tuple[int, int]]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3))
def max_pool(x: jax.Array, window: tuple[int, ...], strides: tuple[int, ...], padding: Padding
             ) -> jax.Array:
  """Returns the greatest values of windows; padding is never the greatest.

  The gradient of a window goes to the first, row by row, of its greatest values. Only reverse-mode
  derivatives are defined.

  Args:
    x: floats of any shape.
    window: sizes along the axes of x.
    strides: along the axes.
    padding: 'SAME', 'VALID', or what is put (before, after) along each axis.
  """
  return _pool(x, window, strides, padding)


def _pool(x, window, strides, padding):
  return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, padding)


def _forward(x, window, strides, padding):
  return _pool(x, window, strides, padding), x


def _backward(window, strides, padding, x, g):
  pool = lambda x: _pool(x, window, strides, padding)
  return (jax.lax.platform_dependent(
      x, g, cpu=functools.partial(_pull, window, strides, padding),
      default=lambda x, g: jax.vjp(pool, x)[1](g)[0]),)


def _pull(window, strides, padding, x, g):
  """Finds the first place of each window that holds its greatest value, and adds g there.

  A window's values are held against each other, and not against what the pool gave: a compiler may
  compute x once more here, rounded otherwise, and then no value would be that.
  """
  if isinstance(padding, str):
    padding = jax.lax.padtype_to_pads(x.shape, window, strides, padding)

  def seen(padded):
    return [jax.lax.slice(padded, place, [start + (count - 1) * step + 1 for start, count, step in
                                          zip(place, g.shape, strides, strict=True)], strides)
            for place in np.ndindex(*window)]

  padded = jnp.pad(x, padding, constant_values=-jnp.inf)
  pixels = seen(padded)
  first, greatest = jnp.zeros(g.shape, jnp.int32), pixels[0]
  for number, values in enumerate(pixels[1:], 1):
    first = jnp.where(values > greatest, number, first)
    greatest = jnp.maximum(values, greatest)
  parts = [jnp.where(first == number, g, 0) for number in range(len(pixels))]
  # The transpose begins with the last place, which is that of a pixel's first window: windows are
  # summed in their order.
  (padded,) = jax.linear_transpose(seen, padded)(parts)
  return jax.lax.slice(padded, [before for before, _ in padding], [
      before + size for size, (before, _) in zip(x.shape, padding, strict=True)])


max_pool.defvjp(_forward, _backward)
