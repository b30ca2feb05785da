"""Views of a single image, for a notebook or another project: no set, no plan, no config."""

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import views
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation
from nfnets_am.data.ops import crops
from nfnets_am.data.stream import input as stream_input


def draw(image: np.ndarray, augment: str, count: int, *, seed: int = 0, example: int = 0,
         epoch: int = 0) -> jax.Array:
  """Draws n views of an image, those that training draws of it.

  They are the views 0 .. n - 1 of the image in a pass. Only where an update holds a single view of
  a JPEG, which then is decoded in part, may pixels at the edges of its window differ by a few
  levels. A crop needs TensorFlow, nothing else does.

  Args:
    image: uint8 [H, W, C], decoded.
    augment: its way, 'crop(192) | flip() | normalise()', see ops.parse. Of three channels a mean or
      deviation that `normalise()` does not name is ImageNet's; `normalise(mean=0, std=1)` gives
      images in [0, 1].
    count: n, from 1.
    seed: of all augmentation, in [0, 2**32).
    example: the image's number in its set.
    epoch: number of the pass.

  Returns:
    float32 [n, H, W, C], of the crop's size where there is one, as a model takes them.

  Raises:
    errors.ConfigError: the text is no augmentation, an op does not fit the image, `mix` would need
      other images, or `normalise` lacks numbers; the image is of another kind, or `count` below 1.
    errors.UserError: there is a crop, and TensorFlow is not installed.
  """
  if getattr(image, 'dtype', None) != np.uint8 or image.ndim != 3:
    raise errors.ConfigError(
        f'the image is {getattr(image, "dtype", type(image).__name__)} '
        f'{list(getattr(image, "shape", ()))}; allowed: uint8 [H, W, C]')
  if count < 1:
    raise errors.ConfigError(f'{count} views of an image; allowed: from 1')
  way = _bound(ops.parse(augment), image.shape[-1])
  if way.mix:
    raise errors.ConfigError(
        f'the augmentation {augment!r} has mix(), and a single image has no partner; allowed: the '
        'other ops')
  height, width = (way.crop, way.crop) if way.crop else image.shape[:2]
  way.check(height, width)
  rows = views.Rows(np.full(count, example, np.int32), np.full(count, epoch, np.int32),
                    np.arange(count, dtype=np.int32))
  drawn = way.draws(seed, rows, height, width)
  if way.crop:
    lane = augmentation.Lane(jnp.asarray(_cut(image, way, drawn, count)), drawn)
  else:
    lane = augmentation.Lane(jnp.asarray(image)[None], drawn, jnp.zeros(count, jnp.int32))
  return way.follow(arrays.JAX, way.read, None, lane)[0]


def _bound(way: ops.Augmentation, channels: int) -> ops.Augmentation:
  """Returns a way with a mean and a deviation for each channel."""
  if channels == 3:
    return way.bind(stream_input.IMAGENET_MEAN, stream_input.IMAGENET_STD)
  if None in (way.normalise.mean, way.normalise.std):
    raise errors.ConfigError(
        f'the augmentation {way.text!r} names no mean and deviation for {channels} channels; '
        'allowed: normalise(mean=..., std=...), or an image of 3 channels')
  return way.bind((0.0,) * channels, (1.0,) * channels)


def _cut(image: np.ndarray, way: ops.Augmentation, drawn: augmentation.Draws, count: int
         ) -> np.ndarray:
  """What the reader of encoded images does of a way, once they are decoded: uint8 [n, S, S, 3]."""
  crop, *flip = way.labels[:way.read]
  mirrored = drawn[flip[0]]['flip'] if flip else np.zeros(count, np.int32)
  return crops.views_of(image, {**drawn[crop], 'flip': mirrored}, way.crop).numpy()
