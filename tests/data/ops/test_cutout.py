"""Cutout against a loop; published areas; the mean colour."""

import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation as augmentation_lib
from tests.data.ops import helpers


def naive(images, draws, length):
  views = images.copy()
  height, width = images.shape[1:3]
  for view, row, col in zip(views, draws['row'], draws['col'], strict=True):
    for y in range(max(row - length // 2, 0), min(row + length // 2, height)):
      for x in range(max(col - length // 2, 0), min(col + length // 2, width)):
        view[y, x] = 0
  return views


def test_equals_a_loop_over_pixels():
  images = helpers.random_images(30)
  augmentation = ops.parse('normalise() | cutout(4)').bind((.5,) * 3, (.25,) * 3)
  draws = augmentation.draws(0, helpers.rows(30), 8, 6)
  normalised = np.asarray(augmentation.normalised(jnp.asarray(images)))
  finished, _ = augmentation.follow(
      arrays.JAX, 0, None, augmentation_lib.Lane(jnp.asarray(images), draws))
  np.testing.assert_array_equal(finished, naive(normalised, draws['cutout'], 4))


def test_published_areas():
  row, col = (x.reshape(-1).astype(np.int32) for x in np.mgrid[:32, :32])
  images = np.ones((1024, 32, 32, 1), np.float32)
  cut = ops.Cutout(length=16).apply(arrays.JAX, images, {'row': row, 'col': col})
  area = (1 - np.asarray(cut)).sum((1, 2, 3)).reshape(32, 32)
  assert area[0, 0] == 64 and area[16, 16] == 256
  assert area.mean() == 196


def test_every_pixel_is_a_centre_and_views_have_their_own():
  augmentation = ops.parse('normalise() | cutout(length=2)')
  draws = augmentation.draws(0, helpers.rows(100, views_per_image=16), 4, 8)['cutout']
  centres = 8 * draws['row'] + draws['col']
  assert set(centres.tolist()) == set(range(32))
  assert all(len(set(views)) > 1 for views in centres.reshape(100, 16).tolist())


@pytest.mark.parametrize('length', [0, 3, -2, 16., True])
def test_lengths_that_are_no_even_number_are_refused(length):
  with pytest.raises(errors.ConfigError, match='allowed: even integers from 2'):
    ops.parse(f'normalise() | cutout(length={length})')


def test_a_square_larger_than_the_image_is_refused():
  ops.parse('normalise() | cutout(length=6)').check(8, 6)
  with pytest.raises(errors.ConfigError, match='length=8, which is more than images of 8x6'):
    ops.parse('normalise() | cutout(length=8)').check(8, 6)
