"""What an op is: draws first, pixels later.

The draws of a whole batch of views are a few small integer arrays, made by numpy. Applying them
is deterministic and written once over an array namespace (arrays.py), so the same draws give the
same pixels on the host (TensorFlow) and on the device (JAX), bit for bit. Ops before `normalise`
work on bytes, ops after it on float32; those behind `normalise` run on the device, in the step.
"""

from typing import Any
from typing import ClassVar

import numpy as np

from nfnets_am.data.ops import arrays

BYTES, FLOATS = 'bytes', 'floats'


class Op:
  """Subclasses are frozen dataclasses whose fields are the op's arguments.

  Attributes:
    blocks: of four random words that a row's draws take.
    works_on: what the op can stand among, BYTES (before `normalise`), FLOATS (after it) or both.
  """

  blocks: int = 1
  works_on: ClassVar[tuple[str, ...]] = (BYTES, FLOATS)

  def check(self, height: int, width: int) -> None:
    """Raises errors.ConfigError if the op cannot work on images of this size."""

  def draw(self, words: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    """Turns random words into what the op applies.

    Args:
      words: uint32 [4 blocks, R], independent and uniform for each of R views.
      height: H of the images.
      width: W of the images.

    Returns:
      Name -> int32 [R, ...].
    """
    raise NotImplementedError

  def apply(self, xp: arrays.Namespace, images: Any, draws: dict[str, Any]) -> Any:
    """Applies draws to images.

    Args:
      xp: of the arrays.
      images: uint8 or float32 [R, H, W, C].
      draws: as drawn.

    Returns:
      The same shape and dtype.
    """
    raise NotImplementedError
