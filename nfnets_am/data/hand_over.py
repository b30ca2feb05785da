"""How images travel from the host to the devices: as bytes or normalised, as they lie or turned.

Bytes are the least to send, and the device normalises them for nothing. Normalised bfloat16 spares
a device that is short of time, at twice the bytes. A TPU keeps maps with the batch innermost;
images that arrive as [H, W, C, B] spare it the first turn (the "double transpose" of the NF papers'
public code). The numbers that the model sees are the same in every form.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import ops

HAND_OVERS = ('uint8', 'bfloat16')


@dataclasses.dataclass(frozen=True)
class HandOver:
  """Both ends of the way of an update's images.

  Attributes:
    table: bfloat16 [256, C], what each byte is once normalised; None sends bytes.
    double_transpose: whether images travel as [H, W, C, B].
  """

  table: np.ndarray | None = None
  double_transpose: bool = False

  @property
  def normalised(self) -> bool:
    """Whether the device finds its images normalised."""
    return self.table is not None

  def pack(self, batch: Mapping[str, Any], devices: int) -> Mapping[str, Any]:
    """Returns a host's batch as it travels.

    Args:
      batch: 'image' uint8 [R, H, W, C] and other arrays [R, ...]; without 'image', as it is.
      devices: of this host; it divides R, and device d takes the d-th part of the rows.

    Returns:
      The batch with 'image' in uint8 or bfloat16, [R, H, W, C] or [devices, H, W, C, R / devices].
    """
    if 'image' not in batch:
      return batch
    image = batch['image']
    if self.table is not None:
      image = self.table[image, np.arange(image.shape[-1])]
    if self.double_transpose:
      image = image.reshape((devices, -1) + image.shape[1:])
      image = np.ascontiguousarray(np.moveaxis(image, 1, -1))
    return {**batch, 'image': image}

  def unpack(self, image: jax.Array) -> jax.Array:
    """Returns [B, H, W, C] of what arrived on a device: that, or [1, H, W, C, B]."""
    return jnp.moveaxis(image[0], -1, 0) if self.double_transpose else image


def make_hand_over(
    augmentation: ops.Augmentation, *, hand_over: str, double_transpose: bool, dtype: str,
    mean: tuple[float, ...], std: tuple[float, ...],
) -> HandOver:
  """Returns the way of the images of data.hand_over and data.double_transpose.

  Args:
    augmentation: what normalises.
    hand_over: 'uint8' or 'bfloat16'.
    double_transpose: whether images travel as [H, W, C, B].
    dtype: that the model computes in.
    mean, std: per channel, in [0, 1].

  Raises:
    ConfigError: an unknown way, or normalised bfloat16 is not what the model would see.
  """
  if hand_over not in HAND_OVERS:
    raise errors.ConfigError(
        f'data.hand_over={hand_over!r}; allowed: {" or ".join(map(repr, HAND_OVERS))}')
  table = None
  if hand_over == 'bfloat16':
    if dtype != 'bfloat16' or augmentation.float_ops:
      raise errors.ConfigError(
          f"data.hand_over='bfloat16' with dtype={dtype!r} and data.augment={augmentation.text!r}; "
          "allowed: dtype='bfloat16' and no op behind normalise()")
    # [256, 1, 1, C], so that `finish` itself says what each byte becomes.
    levels = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None],
                             (256, 1, 1, len(mean)))
    table = np.asarray(
        augmentation.finish(jnp.asarray(levels), {}, mean, std).astype(jnp.bfloat16))[:, 0, 0]
  return HandOver(table, double_transpose)
