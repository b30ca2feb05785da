"""Ways to compute one and the same convolution, grouped or not.

All take images [B, H, W, C] and weights [height, width, C / groups, channels], and return what
`jax.lax.conv_general_dilated` does but for rounding. Which of them is fast differs from one device
and one shape to the next; convolving.py chooses. Sums of several products are taken in float32.
"""

from collections.abc import Iterator
import dataclasses

import jax
import jax.numpy as jnp

from nfnets_am.core import registry
from nfnets_am.models import convolution


@dataclasses.dataclass(frozen=True)
class Geometry:
  """What a convolution is, but for its weights.

  Attributes:
    stride: down and across.
    padding: 'SAME', 'VALID', or what is put (before, after) each of height and width.
    groups: of channels that do not see each other.
    dilation: distance of neighbouring weights on the image.
  """

  stride: tuple[int, int] = (1, 1)
  padding: convolution.Padding = 'SAME'
  groups: int = 1
  dilation: int = 1

  def pads(self, x: jax.Array, w: jax.Array) -> tuple[tuple[int, int], ...]:
    """Returns what is put (before, after) each of height and width."""
    if not isinstance(self.padding, str):
      return self.padding
    sides = [(side - 1) * self.dilation + 1 for side in w.shape[:2]]
    return tuple(jax.lax.padtype_to_pads(x.shape[1:3], sides, self.stride, self.padding))


def whole(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
  """The one operation that XLA has for it."""
  return _convolve(x, w, geometry, geometry.groups)


def stored(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
  """The same of images that a compiler has to store.

  The gradient by weights takes images in another order. XLA's CPU backend (jax 0.10.2), which puts
  them into it, computes them on the way, once more, and all that they are sums of, along a whole
  stage of residual blocks.
  """
  return whole(_stored(x), w, geometry)


def channels_first(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
  """The same with images in the order NCHW and weights OIHW: other orders at the boundary only."""
  out = jax.lax.conv_general_dilated(
      jnp.transpose(x, (0, 3, 1, 2)), jnp.transpose(w, (3, 2, 0, 1)), geometry.stride,
      geometry.padding, rhs_dilation=(geometry.dilation,) * 2,
      dimension_numbers=('NCHW', 'OIHW', 'NCHW'), feature_group_count=geometry.groups)
  return jnp.transpose(out, (0, 2, 3, 1))


def split(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
  """A convolution for each group."""
  return jnp.concatenate([
      convolution.conv2d(x, w, geometry.stride, geometry.padding, geometry.dilation)
      for x, w in _groups(x, w, geometry)], 3)


def dense(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
  """One group whose weights are zero between what were groups: as much more work as groups."""
  return _merged(x, w, geometry, geometry.groups)


def pairs(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
  """Every two groups as one, with zeros between them: twice the work, on units twice as wide.

  Groups of an odd number stay alone.
  """
  return _merged(x, w, geometry, 1 if geometry.groups % 2 else 2)


def patches(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
  """A matrix product for each group, of all pixels that a pixel sees side by side."""
  outs = []
  for own, kernel in _groups(x, w, geometry):
    seen = jnp.concatenate([tap.astype(x.dtype) for tap in _taps(own, kernel, geometry)], 3)
    kernel = kernel.reshape(-1, kernel.shape[3])
    outs.append(jax.lax.dot_general(seen, kernel, (((3,), (0,)), ((), ()))))
  return jnp.concatenate(outs, 3)


def taps(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
  """For each of the weights' places on the map a matrix product batched over groups, summed.

  Groups are turned to the front first, and to the back last.
  """
  groups, (height, width, inside, channels) = geometry.groups, w.shape
  kernels = w.reshape(height * width, inside, groups, channels // groups)
  out = sum(
      jax.lax.dot_general(
          jnp.moveaxis(tap.reshape(*tap.shape[:3], groups, inside), 3, 0).astype(x.dtype),
          jnp.moveaxis(kernel[0], 1, 0), (((4,), (1,)), ((0,), (0,))),
          preferred_element_type=_wide(x.dtype))
      for tap, kernel in zip(_taps(x, w, geometry),
                             # The gradient of a split is one copy, of indices a sum of many.
                             jax.lax.split(kernels, (1,) * (height * width)), strict=True))
  return jnp.moveaxis(out, 0, 3).reshape(*out.shape[1:4], channels).astype(x.dtype)


def shifts(x: jax.Array, w: jax.Array, geometry: Geometry) -> jax.Array:
  """The sum of shifted images, each times one weight of every channel; of depthwise ones only.

  Raises:
    ValueError: a group has more than one channel.
  """
  height, width, inside, channels = w.shape
  if inside != 1:
    raise ValueError(f"'shifts' of groups of {inside} channels; allowed: 1")
  kernels = w.astype(_wide(w.dtype)).reshape(height * width, 1, 1, channels)
  out = sum(
      jnp.repeat(tap, channels // geometry.groups, 3) * kernel
      for tap, kernel in zip(_taps(x, w, geometry), jax.lax.split(kernels, (1,) * height * width),
                             strict=True))
  return out.astype(x.dtype)


FORMS = registry.Registry('form of a convolution', {
    form.__name__: form
    for form in (whole, stored, channels_first, split, dense, pairs, patches, taps, shifts)})


def _convolve(x, w, geometry, groups):
  return jax.lax.conv_general_dilated(
      x, w, geometry.stride, geometry.padding, rhs_dilation=(geometry.dilation,) * 2,
      dimension_numbers=('NHWC', 'HWIO', 'NHWC'), feature_group_count=groups)


@jax.custom_vjp
def _stored(x):
  """Hands x through a loop that never runs, which no compiler knows: it drops mere barriers."""
  first = x[(0,) * x.ndim]
  turns = jnp.isnan(first).astype(jnp.int32)
  return jax.lax.while_loop(
      lambda carry: carry[0] > 1, lambda carry: (carry[0] - 1, carry[1] + first), (turns, x))[1]


_stored.defvjp(lambda x: (_stored(x), None), lambda kept, g: (g,))


def _groups(x, w, geometry) -> Iterator[tuple[jax.Array, jax.Array]]:
  """Yields images and weights of each group."""
  parts = lambda x: jax.lax.split(x, (x.shape[3] // geometry.groups,) * geometry.groups, 3)
  return zip(parts(x), parts(w), strict=True)


def _merged(x, w, geometry, times):
  """Makes one group of every `times`."""
  height, width, inside, channels = w.shape
  groups = geometry.groups // times
  w = w.reshape(height, width, 1, inside, groups, times, channels // geometry.groups)
  # The first axis of `times` is of the channels read, the second of those written.
  own = jnp.eye(times, dtype=w.dtype)[:, None, None, :, None]
  return _convolve(x, (w * own).reshape(height, width, times * inside, channels), geometry, groups)


def _taps(x, w, geometry) -> Iterator[jax.Array]:
  """Yields for each place of the weights, row by row, the pixels that it meets.

  They are [B, H / stride, W / stride, C], float32 or wider, so that gradients of what overlaps are
  summed in it.
  """
  pads = geometry.pads(x, w)
  x = jnp.pad(x.astype(_wide(x.dtype)), ((0, 0), *pads, (0, 0)))
  counts = [(size - (side - 1) * geometry.dilation - 1) // step + 1
            for size, side, step in zip(x.shape[1:3], w.shape[:2], geometry.stride, strict=True)]
  for row in range(w.shape[0]):
    for column in range(w.shape[1]):
      starts = row * geometry.dilation, column * geometry.dilation
      ends = [start + (count - 1) * step + 1
              for start, count, step in zip(starts, counts, geometry.stride, strict=True)]
      yield jax.lax.slice(x, (0, *starts, 0), (x.shape[0], *ends, x.shape[3]),
                          (1, *geometry.stride, 1))


def _wide(dtype):
  return jnp.promote_types(dtype, jnp.float32)
