"""What an op is: draws first, pixels later.

The draws of a whole batch of views are a few small integer arrays, made by numpy. Applying them
is deterministic, so the same draws give the same pixels on the host (TensorFlow) and on the
device (JAX), bit for bit. Ops before `normalise` move or change uint8 pixels and can run in either
place; ops after it change float32 images on the device, inside the training step.
"""

from typing import Any

import jax
import numpy as np


class Op:
  """Draws of an op. Subclasses are frozen dataclasses whose fields are the op's arguments."""

  def check(self, height: int, width: int) -> None:
    """Raises errors.ConfigError if the op cannot work on images of this size."""

  def draw(self, words: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    """Turns random words into what the op applies.

    Args:
      words: uint32 [4, R], independent and uniform for each of R views.
      height: H of the images.
      width: W of the images.

    Returns:
      Name -> int32 [R].
    """
    raise NotImplementedError


class PixelOp(Op):
  """An op on uint8 images [R, H, W, C], before `normalise`."""

  def apply_host(self, images: Any, draws: dict[str, Any]) -> Any:
    """The views uint8 [R, H, W, C] of images in a tf.Tensor, given draws in int32 [R] ones."""
    raise NotImplementedError

  def apply_device(self, images: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
    """The same pixels from JAX arrays."""
    raise NotImplementedError


class FloatOp(Op):
  """An op on normalised float32 images [R, H, W, C], where 0 is the mean colour."""

  def apply_device(self, images: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
    """The views float32 [R, H, W, C] of JAX arrays, given draws in int32 [R] ones."""
    raise NotImplementedError
