"""The device's end of an input of images: from what arrived to what the model takes."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.data import hand_over as hand_over_lib
from nfnets_am.data import ops
from nfnets_am.data import views as views_lib
from nfnets_am.data.memory import batches as memory_batches

Batch = Mapping[str, Any]
# What the way of a batch needs and a model does not.
_TRAVELS = ('image', 'draws', 'example', 'partner_example')


@dataclasses.dataclass(frozen=True)
class ImagePreparation:
  """Gathers, unpacks, normalises and casts images.

  Attributes:
    augmentation: its ops from `normalise` on run here; all of them where views are drawn here.
    hand_over: how images come from the host.
    mean, std: of the data set, per channel, in [0, 1].
    image_shape: (H, W, C) of a view.
    dtype: that the model computes in.
    on_device: whether views are drawn here, from a pool of stored images.
    mixed: whether rows have partners.
  """

  augmentation: ops.Augmentation
  hand_over: hand_over_lib.HandOver
  mean: Sequence[float]
  std: Sequence[float]
  image_shape: tuple[int, int, int]
  dtype: Any = 'float32'
  on_device: bool = False
  mixed: bool = False

  def pack(self, batch: Batch, devices: int) -> Batch:
    """Returns a host's batch as it travels; see HandOver.pack."""
    return self.hand_over.pack(batch, devices)

  def prepare(self, pool: jax.Array | None, batch: Batch) -> dict[str, Any]:
    """Returns the rows of an update on one device, as an objective takes them.

    Args:
      pool: the training images uint8 [N, H, W, C] if views are drawn here, else None.
      batch: this device's rows, as `pack` left them; see `batch_spec`.

    Returns:
      'inputs' [B, H, W, C] in `dtype`, 'label' int32 [B]; mixed rows also have 'partner_label' and
      'weight', see classification.targets.
    """
    if self.on_device:
      batch = memory_batches.apply_on_device(self.augmentation, pool, batch)
    images = self.hand_over.unpack(batch['image'])
    if not self.hand_over.normalised:
      images = self.augmentation.finish(images, batch['draws'], self.mean, self.std)
    rows = {key: value for key, value in batch.items() if key not in _TRAVELS}
    return rows | {'inputs': images.astype(self.dtype)}

  def prepare_stored(self, batch: Batch) -> dict[str, Any]:
    """Returns the rows of an evaluation step on one device.

    Args:
      batch: 'image' uint8 [B, H, W, C] as stored or as cropped for testing, 'label' int32 [B] and
        'mask' float32 [B].

    Returns:
      The same with 'inputs' in place of 'image'.
    """
    rows = {key: value for key, value in batch.items() if key not in _TRAVELS}
    images = self.augmentation.finish(batch['image'], {}, self.mean, self.std)
    return rows | {'inputs': images.astype(self.dtype)}

  def batch_spec(self, rows: int, *, raw: bool = False) -> dict[str, Any]:
    """Returns the shapes and dtypes of a device's batch of an update, as `prepare` takes it.

    Args:
      rows: of the device.
      raw: whether they are raw images (multiplicity 0), neither drawn for nor mixed.
    """
    number = jax.ShapeDtypeStruct((rows,), jnp.int32)
    spec = {'label': number, 'example': number, 'draws': {} if raw else self._draws_spec(number)}
    if self.mixed and not raw:
      spec |= {'partner_label': number, 'partner_example': number,
               'weight': jax.ShapeDtypeStruct((rows,), jnp.float32)}
    if self.on_device:
      return spec | {'index': number}
    packed = self.pack({'image': np.zeros((1, *self.image_shape), np.uint8)}, 1)['image']
    shape = (rows, *packed.shape[1:])
    if self.hand_over.double_transpose:
      shape = (*packed.shape[:-1], rows)
    return spec | {'image': jax.ShapeDtypeStruct(shape, packed.dtype)}

  def _draws_spec(self, number: jax.ShapeDtypeStruct) -> dict[str, Any]:
    one = np.zeros(1, np.int32)
    drawn = self.augmentation.draws(0, views_lib.Rows(one, one, one), *self.image_shape[:2])
    here = drawn if self.on_device else {k: drawn[k] for k in self.augmentation.float_ops}
    return jax.tree.map(lambda _: number, here)
