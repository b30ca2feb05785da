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
      batch: 'image' and 'partner_image' uint8 [R, H, W, C], where there are, and other arrays.
      devices: of this host; it divides R, and device d takes the d-th part of the rows.

    Returns:
      The batch with images in uint8 or bfloat16, [R, H, W, C] or [devices, H, W, C, R / devices].
    """
    images = {key: self._pack(batch[key], devices)
              for key in ('image', 'partner_image') if key in batch}
    return {**batch, **images}

  def _pack(self, image: np.ndarray, devices: int) -> np.ndarray:
    if self.table is not None:
      image = self.table[image, np.arange(image.shape[-1])]
    if self.double_transpose:
      image = image.reshape((devices, -1) + image.shape[1:])
      image = np.ascontiguousarray(np.moveaxis(image, 1, -1))
    return image

  def unpack(self, image: jax.Array) -> jax.Array:
    """Returns [B, H, W, C] of what arrived on a device: that, or [1, H, W, C, B]."""
    return jnp.moveaxis(image[0], -1, 0) if self.double_transpose else image


def make_hand_over(
    augmentation: ops.Augmentation, *, hand_over: str, double_transpose: bool, dtype: str,
) -> HandOver:
  """Returns the way of the images of data.hand_over and data.double_transpose.

  Args:
    augmentation: an image's way, bound to the data set's numbers.
    hand_over: 'uint8' or 'bfloat16'.
    double_transpose: whether images travel as [H, W, C, B].
    dtype: that the model computes in.

  Raises:
    ConfigError: an unknown way, or normalised bfloat16 is not what the model would see.
  """
  if hand_over not in HAND_OVERS:
    raise errors.ConfigError(
        f'data.hand_over={hand_over!r}; allowed: {" or ".join(map(repr, HAND_OVERS))}')
  table = None
  if hand_over == 'bfloat16':
    normalise = augmentation.normalise
    if (dtype != 'bfloat16' or normalise.per_image
        or augmentation.at + 1 < len(augmentation.labels)):
      raise errors.ConfigError(
          f"data.hand_over='bfloat16' with dtype={dtype!r} and data.augment={augmentation.text!r}; "
          "allowed: dtype='bfloat16', no op behind normalise(), and no mean of each image's own")
    # [256, 1, 1, C], so that `normalised` itself says what each byte becomes.
    levels = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None, None],
                             (256, 1, 1, len(normalise.mean)))
    table = np.asarray(
        augmentation.normalised(jnp.asarray(levels)).astype(jnp.bfloat16))[:, 0, 0]
  return HandOver(table, double_transpose)
