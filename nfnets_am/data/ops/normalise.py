"""uint8 to float32 with zero mean and unit variance per channel."""

from collections.abc import Sequence
import dataclasses
from typing import Any
from typing import ClassVar

import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.data.ops import base


@dataclasses.dataclass(frozen=True, kw_only=True)
class Normalise(base.Op):
  """(x / 255 - mean) / std. Parts the ops on bytes from the ops on normalised images.

  Attributes:
    mean: of each channel, or one for all, in units of [0, 1]; None is the data set's.
    std: likewise, above 0.
    per_image: first takes the mean over all pixels and channels of the image off each of its values
      (Tokozume et al. 2018, for between-class mixing), when testing too; the data set's `mean` does
      not fit then.
  """
  works_on: ClassVar[tuple[str, ...]] = (base.BYTES,)
  blocks: ClassVar[int] = 0
  mean: Sequence[float] | None = None
  std: Sequence[float] | None = None
  per_image: bool = False

  def __post_init__(self):
    for key, allowed in (('mean', 'numbers'), ('std', 'numbers above 0')):
      value = getattr(self, key)
      if value is None:
        continue
      numbers = value if isinstance(value, (tuple, list)) else (value,)
      if not numbers or any(
          isinstance(x, bool) or not isinstance(x, (int, float)) or key == 'std' and x <= 0
          for x in numbers):
        raise errors.ConfigError(
            f'normalise has {key}={value!r}; allowed: {allowed} in units of [0, 1], one for each '
            'channel or one for all')
      object.__setattr__(self, key, tuple(map(float, numbers)))
    if type(self.per_image) is not bool:
      raise errors.ConfigError(f'normalise has per_image={self.per_image!r}; allowed: True, False')
    if self.per_image and self.mean is None:
      raise errors.ConfigError(
          'normalise has per_image=True and no mean; allowed: the mean of what is left once the '
          "images' own means are gone, such as mean=0")

  def bind(self, mean: Sequence[float], std: Sequence[float]) -> 'Normalise':
    """Returns the op with a data set's numbers, one for each channel, where it names none.

    Raises:
      errors.ConfigError: it names some for another number of channels.
    """
    bound = {}
    for key, known in (('mean', mean), ('std', std)):
      value = getattr(self, key) or tuple(known)
      if len(value) not in (1, len(known)):
        raise errors.ConfigError(
            f'normalise has {key}={value!r}; allowed: {len(known)} numbers, one for each channel, '
            'or one for all')
      bound[key] = value * len(known) if len(value) == 1 else value
    return dataclasses.replace(self, **bound)

  def apply(self, xp: Any, images: jax.Array, draws: Any) -> jax.Array:
    """Maps uint8 [R, H, W, C] to float32; on the device alone."""
    del xp, draws
    images = images.astype(jnp.float32)
    if self.per_image:
      images -= images.mean(axis=(1, 2, 3), keepdims=True)
    return self._scaled(images / 255)

  def of_pixels(self, images: jax.Array) -> jax.Array:
    """Maps float32 [R, H, W, C] in [0, 1] to what `apply` makes of the bytes 255 times as large."""
    if self.per_image:
      images = images - images.mean(axis=(1, 2, 3), keepdims=True)
    return self._scaled(images)

  def _scaled(self, images: jax.Array) -> jax.Array:
    return (images - jnp.asarray(self.mean, jnp.float32)) / jnp.asarray(self.std, jnp.float32)

  def undo(self, images: Any) -> Any:
    """Maps normalised [..., C] to [0, 1], for pictures; an image's own mean becomes grey.

    What mixing has pushed out is clipped.
    """
    images = images * jnp.asarray(self.std) + jnp.asarray(self.mean) + self.per_image / 2
    return jnp.clip(images, 0, 1)
