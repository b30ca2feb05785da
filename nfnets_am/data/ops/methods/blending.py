"""Pixels that methods share, over an array namespace."""

from typing import Any

from nfnets_am.data.ops import arrays
from nfnets_am.data.ops.methods import laws


def blend(xp: arrays.Namespace, own: Any, partner: Any, share: Any) -> Any:
  """Weighted mean of two images.

  Args:
    xp: the namespace.
    own: uint8 or float32 [R, H, W, C].
    partner: like `own`.
    share: int32 from 0 to 65536, broadcasts to them: the weight of `own` in parts of 1/65536.

  Returns:
    Like `own`. A mean of bytes is rounded to nearest and is a byte: nothing to clip.
  """
  if own.dtype == 'float32':
    # One product: of two, a compiler may fuse either with the sum, and rounds it otherwise.
    return partner + xp.cast(share, 'float32') / laws.ONE * (own - partner)
  # uint32, where a shift divides; int32 with // takes twice as long.
  own_share, own, partner = (xp.cast(x, 'uint32') for x in (share, own, partner))
  one, half = (xp.asarray(x, 'uint32') for x in (laws.ONE, laws.ONE // 2))
  return xp.cast(xp.right_shift(own_share * own + (one - own_share) * partner + half, 16), 'uint8')


def lines(xp: arrays.Namespace, images: Any) -> Any:
  """Returns [R, H, W, C] as [R, H, W C].

  A compiler that goes through three channels at a time takes ten times as long as with long lines.
  """
  return xp.reshape(images, (-1, images.shape[1], images.shape[2] * images.shape[3]))


def choose(xp: arrays.Namespace, own: Any, partner: Any, mask: Any) -> Any:
  """Shows `own` where a mask is True, `partner` elsewhere.

  Args:
    xp: the namespace.
    own: uint8 or float32 [R, H, W, C].
    partner: like `own`.
    mask: bool [R, H or 1, W C or 1], of their lines.

  Returns:
    Like `own`.
  """
  return xp.reshape(xp.where(mask, lines(xp, own), lines(xp, partner)), (-1, *own.shape[1:]))


def upper(xp: arrays.Namespace, count: Any, size: int) -> Any:
  """Returns bool [R, H, 1]: the first rows, `count` int32 [R] of `size`."""
  return (xp.arange(size)[None] < count[:, None])[:, :, None]


def left(xp: arrays.Namespace, count: Any, size: int, channels: int) -> Any:
  """Returns bool [R, 1, W C]: the first columns, `count` int32 [R] of `size`."""
  return (xp.arange(size * channels)[None] < channels * count[:, None])[:, None]


def box(xp: arrays.Namespace, draws: Any, shape: tuple[int, int, int]) -> Any:
  """Returns bool [R, H, W C]: rows from 'top' to below 'bottom', columns from 'left' to 'right'.

  Args:
    xp: the namespace.
    draws: int32 [R] by these four names.
    shape: (H, W, C).
  """
  height, width, channels = shape
  rows = upper(xp, draws['bottom'], height) & ~upper(xp, draws['top'], height)
  cols = (left(xp, draws['right'], width, channels)
          & ~left(xp, draws['left'], width, channels))
  return rows & cols


def moved(xp: arrays.Namespace, images: Any, down: Any, across: Any) -> Any:
  """Shows at (r, c) what is at (r + down, c + across), the edge's pixel beyond it.

  Args:
    xp: the namespace.
    images: [R, H, W, C].
    down: int32 [R].
    across: int32 [R].

  Returns:
    Like `images`.
  """
  rows, cols = (xp.minimum(xp.maximum(xp.arange(size)[None] + by[:, None], 0), size - 1)
                for size, by in zip(images.shape[1:3], (down, across), strict=True))
  return xp.pixels(images, None, rows[:, :, None], cols[:, None, :])
