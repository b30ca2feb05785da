"""Ops that only move whole pixels along rows and columns, fused into one gather.

Such an op says from which row and which column of its input each row and column of its output
comes. These small tables [R, H] and [R, W] compose, so pad, crop and flip together read every
pixel once. BLANK in a table stands for 0: black before `normalise`, the mean colour after it.
"""

from collections.abc import Mapping
from typing import Any

from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import base

BLANK = -1


class GeometricOp(base.Op):
  """An op given by where its output's rows and columns come from."""

  def sources(self, xp: arrays.Namespace, draws: Mapping[str, Any], rows: Any, cols: Any,
              height: int, width: int) -> tuple[Any, Any]:
    """Follows coordinates of the output back to the input.

    Args:
      xp: of the arrays.
      draws: the op's draws, int32 [R].
      rows: int32 [R or 1, H], rows of the output, or BLANK.
      cols: int32 [R or 1, W], columns of the output, or BLANK.
      height: H.
      width: W.

    Returns:
      Rows and columns of the input, or BLANK, which stays BLANK.
    """
    raise NotImplementedError

  def apply(self, xp, images, draws):
    return move(xp, images, None, [(self, draws)])


def move(xp: arrays.Namespace, images: Any, index: Any | None,
         moves: list[tuple[GeometricOp, Mapping[str, Any]]]) -> Any:
  """Applies geometric ops, first to last, to images[index].

  Args:
    xp: of the arrays.
    images: uint8 or float32 [N, H, W, C].
    index: int32 [R], or None with N = R.
    moves: the ops with their draws, int32 [R].

  Returns:
    [R, H, W, C] of the same dtype; 1 us of a core for each 32x32x3 view, the copy included.
  """
  height, width = images.shape[1:3]
  rows, cols = xp.arange(height)[None], xp.arange(width)[None]
  for op, draws in reversed(moves):
    rows, cols = op.sources(xp, draws, rows, cols, height, width)
  rows, cols = rows[:, :, None], cols[:, None, :]
  pixels = xp.pixels(images, index, rows, cols)
  there = (rows != BLANK) & (cols != BLANK)
  return xp.where(there[..., None], pixels, xp.cast(xp.asarray(0, 'int32'), images.dtype))
