"""Running an op's pixels the ways it can run."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.data import ops
from nfnets_am.data import tensorflow
from nfnets_am.data import views
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation as augmentation_lib


def rows(examples, epoch=0, views_per_image=1):
  """Image-major rows of `examples` images."""
  example = np.repeat(np.arange(examples, dtype=np.int32), views_per_image)
  view = np.tile(np.arange(views_per_image, dtype=np.int32), examples)
  return views.Rows(example, np.full(len(example), epoch, np.int32), view)


def random_images(count, height=8, width=6, channels=3):
  return np.random.default_rng(0).integers(0, 256, (count, height, width, channels), np.uint8)


def crop_draws(seed, rows, prefix=''):
  """Draws of a crop and of the flip behind it, as the reader takes them."""
  drawn = ops.parse('crop(16) | flip() | normalise()').draws(seed, rows, 16, 16, prefix=prefix)
  return {**drawn['crop'], **drawn['flip']}


def follow(augmentation, xp, images, draws, index=None):
  """The ops before `normalise`."""
  lane = augmentation_lib.Lane(images, draws, index)
  return augmentation.follow(xp, 0, augmentation.at, lane)[0]


def host_eager(augmentation, images, draws):
  tf = tensorflow.import_tensorflow()
  return follow(augmentation, arrays.tf(), tf.constant(images), draws).numpy()


def host_in_map(augmentation, images, draws):
  tf = tensorflow.import_tensorflow()
  dataset = tf.data.Dataset.from_tensors((images, draws)).map(
      lambda images, draws: follow(augmentation, arrays.tf(), images, draws))
  return next(dataset.as_numpy_iterator())


def device_jitted(augmentation, images, draws):
  return np.asarray(jax.jit(functools.partial(follow, augmentation, arrays.JAX))(images, draws))


def device_from_the_set(augmentation, images, draws):
  """Every row picks its image from a larger set, here the images in reverse."""
  index = jnp.arange(len(images))[::-1]
  return np.asarray(jax.jit(functools.partial(follow, augmentation, arrays.JAX))(
      images[::-1].copy(), draws, index))


PLACES = [host_eager, host_in_map, device_jitted, device_from_the_set]
