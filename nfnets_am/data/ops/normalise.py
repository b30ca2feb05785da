"""uint8 to float32 with zero mean and unit variance per channel."""

from collections.abc import Sequence
import dataclasses

import jax
import jax.numpy as jnp


@dataclasses.dataclass(frozen=True, kw_only=True)
class Normalise:
  """(x / 255 - mean) / std. Parts the ops on pixels from the ops on normalised images."""

  def apply(self, images: jax.Array, mean: Sequence[float], std: Sequence[float]) -> jax.Array:
    """Maps uint8 [R, H, W, C] to float32; mean and std hold C numbers in units of [0, 1]."""
    scaled = images.astype(jnp.float32) / 255
    return (scaled - jnp.asarray(mean, jnp.float32)) / jnp.asarray(std, jnp.float32)
