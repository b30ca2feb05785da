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
    own_weight = xp.cast(share, 'float32') / laws.ONE
    return own_weight * own + (1 - own_weight) * partner
  # uint32, where a shift divides; int32 with // takes twice as long.
  own_share, own, partner = (xp.cast(x, 'uint32') for x in (share, own, partner))
  one, half = (xp.asarray(x, 'uint32') for x in (laws.ONE, laws.ONE // 2))
  return xp.cast(xp.right_shift(own_share * own + (one - own_share) * partner + half, 16), 'uint8')


def upper(xp: arrays.Namespace, count: Any, size: int) -> Any:
  """Returns bool [R, H, 1, 1]: the first rows, `count` int32 [R] of `size`."""
  return (xp.arange(size)[None] < count[:, None])[:, :, None, None]


def left(xp: arrays.Namespace, count: Any, size: int) -> Any:
  """Returns bool [R, 1, W, 1]: the first columns, `count` int32 [R] of `size`."""
  return (xp.arange(size)[None] < count[:, None])[:, None, :, None]


def box(xp: arrays.Namespace, draws: Any, shape: tuple[int, int, int]) -> Any:
  """Returns bool [R, H, W, 1]: rows from 'top' to below 'bottom', columns from 'left' to 'right'.

  Args:
    xp: the namespace.
    draws: int32 [R] by these four names.
    shape: (H, W, C).
  """
  rows = upper(xp, draws['bottom'], shape[0]) & ~upper(xp, draws['top'], shape[0])
  cols = left(xp, draws['right'], shape[1]) & ~left(xp, draws['left'], shape[1])
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
