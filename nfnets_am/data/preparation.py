"""The device's end of an input of images: from what arrived to what the model takes."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import hand_over as hand_over_lib
from nfnets_am.data import ops
from nfnets_am.data import views as views_lib
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation as augmentation_lib

Batch = Mapping[str, Any]
# What the way of a batch needs and a model does not.
_TRAVELS = frozenset(
    prefix + key for prefix in ('', 'partner_')
    for key in ('image', 'draws', 'example', 'index', 'row'))


@dataclasses.dataclass(frozen=True)
class ImagePreparation:
  """Gathers, unpacks, augments, normalises and casts images.

  Attributes:
    augmentation: an image's way, with the data set's mean and deviation.
    hand_over: how images come from the host.
    image_shape: (H, W, C) of a view.
    dtype: that the model computes in.
    start: place of the first op of the augmentation that runs here, at most that of `normalise`.
    on_device: whether images are stored here, in a pool, and rows are numbers of them.
    pixels: whether images stay in [0, 1], for what attacks them; see `in_pixels`.
  """

  augmentation: ops.Augmentation
  hand_over: hand_over_lib.HandOver
  image_shape: tuple[int, int, int]
  dtype: Any = 'float32'
  start: int = 0
  on_device: bool = False
  pixels: bool = False

  def in_pixels(self, *, stored: bool) -> 'ImagePreparation':
    """Returns the preparation that leaves images in [0, 1], float32, for `normalise` to finish.

    Args:
      stored: whether it is for images as they are stored, which no op behind `normalise` touches.

    Raises:
      ConfigError: views come normalised already, or go on after it: what is attacked are pixels.
    """
    way = self.augmentation
    if not stored and (self.hand_over.normalised or way.at + 1 < len(way.labels)):
      raise errors.ConfigError(
          f"an attack on views of data.augment={way.text!r} with data.hand_over="
          f"{'bfloat16' if self.hand_over.normalised else 'uint8'!r}; allowed: normalise() as the "
          "last op and data.hand_over='uint8', as images in [0, 1] are attacked")
    return dataclasses.replace(self, pixels=True)

  def normalise(self, images: jax.Array) -> jax.Array:
    """Returns images float32 [B, H, W, C] in [0, 1] as the model takes them, in `dtype`."""
    return self.augmentation.normalise.of_pixels(images).astype(self.dtype)

  def pack(self, batch: Batch, devices: int) -> Batch:
    """Returns a host's batch as it travels; see HandOver.pack.

    A partner that is a row of the batch is none of the device's rows if devices share them out: it
    is told by its image and what was drawn for it, and made once more.
    """
    if 'partner_row' in batch and devices > 1:
      row, draws = batch['partner_row'], batch['draws']
      before = [k for k in self.augmentation.labels[:self.augmentation.mixed_at] if k in draws]
      batch = {key: value for key, value in batch.items() if key != 'partner_row'} | {
          'partner_index': batch['index'][row],
          'partner_draws': jax.tree.map(lambda x: x[row], {k: draws[k] for k in before})}
    return self.hand_over.pack(batch, devices)

  def prepare(self, pool: jax.Array | None, batch: Batch) -> dict[str, Any]:
    """Returns the rows of an update on one device, as an objective takes them.

    Args:
      pool: the training images uint8 [N, H, W, C] if views are drawn here, else None.
      batch: this device's rows, as `pack` left them; see `batch_spec`.

    Returns:
      'inputs' [B, H, W, C] in `dtype`, or float32 in [0, 1]; 'label' int32 [B]; mixed rows also
      have 'partner_label' and 'weight', see classification.targets.
    """
    if self.hand_over.normalised:
      images = self.hand_over.unpack(batch['image'])
    else:
      lanes = [self._lane(pool, batch, prefix) for prefix in ('', 'partner_')
               if prefix + 'draws' in batch]
      if 'partner_row' in batch:
        lanes.append(augmentation_lib.Lane(None, {}, batch['partner_row']))
      stop = self.augmentation.at if self.pixels else None
      images, _ = self.augmentation.follow(arrays.JAX, self.start, stop, *lanes)
    rows = {key: value for key, value in batch.items() if key not in _TRAVELS}
    return rows | {'inputs': _unit(images) if self.pixels else images.astype(self.dtype)}

  def _lane(self, pool: jax.Array | None, batch: Batch, prefix: str) -> augmentation_lib.Lane:
    draws = batch[prefix + 'draws']
    if self.on_device:
      return augmentation_lib.Lane(pool, draws, batch[prefix + 'index'])
    return augmentation_lib.Lane(self.hand_over.unpack(batch[prefix + 'image']), draws)

  def prepare_stored(self, batch: Batch) -> dict[str, Any]:
    """Returns the rows of an evaluation step on one device.

    Args:
      batch: 'image' uint8 [B, H, W, C] as stored or as cropped for testing, 'label' int32 [B] and
        'mask' float32 [B].

    Returns:
      The same with 'inputs' in place of 'image'.
    """
    rows = {key: value for key, value in batch.items() if key not in _TRAVELS}
    if self.pixels:
      return rows | {'inputs': _unit(batch['image'])}
    images = self.augmentation.normalised(batch['image'])
    return rows | {'inputs': images.astype(self.dtype)}

  def batch_spec(self, rows: int, *, raw: bool = False, devices: int = 1) -> dict[str, Any]:
    """Returns the shapes and dtypes of a device's batch of an update, as `prepare` takes it.

    Args:
      rows: of the device.
      raw: whether they are raw images (multiplicity 0), neither drawn for nor mixed.
      devices: over all hosts; a single one has the rows' partners among its rows.
    """
    number = jax.ShapeDtypeStruct((rows,), jnp.int32)
    spec = {'label': number, 'example': number, 'draws': {}}
    prefixes, way = [''], self.augmentation
    if not raw:
      spec['draws'] = self._draws_spec(rows, None)
      if way.mix:
        spec |= {'partner_label': number, 'partner_example': number,
                 'weight': jax.ShapeDtypeStruct((rows,), jnp.float32)}
        if self.on_device and devices == 1 and not way.policy.draws_anew:
          spec['partner_row'] = number
        elif way.mixed_at >= self.start:
          spec['partner_draws'] = self._draws_spec(rows, way.mixed_at)
          prefixes.append('partner_')
    for prefix in prefixes:
      spec |= ({prefix + 'index': number} if self.on_device
               else {prefix + 'image': self._image_spec(rows)})
    return spec

  def _image_spec(self, rows: int) -> jax.ShapeDtypeStruct:
    packed = self.pack({'image': np.zeros((1, *self.image_shape), np.uint8)}, 1)['image']
    shape = (rows, *packed.shape[1:])
    if self.hand_over.double_transpose:
      shape = (*packed.shape[:-1], rows)
    return jax.ShapeDtypeStruct(shape, packed.dtype)

  def _draws_spec(self, rows: int, stop: int | None) -> dict[str, Any]:
    """The draws of the ops that run here, up to `stop`."""
    one, way, size = np.zeros(1, np.int32), self.augmentation, self.image_shape[:2]
    row = views_lib.Rows(one, one, one)
    drawn = way.draws(0, row, *size, stop=stop)
    if stop is None and way.mix:
      label = way.labels[way.mixed_at]
      _, drawn[label] = way.mix.draws(0, label, row, one, *size)
    here = {label: drawn[label] for label in way.labels[self.start:] if label in drawn}
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct((rows, *x.shape[1:]), x.dtype), here)


def _unit(images: jax.Array) -> jax.Array:
  """Maps bytes to float32 in [0, 1]."""
  return images.astype(jnp.float32) / 255
