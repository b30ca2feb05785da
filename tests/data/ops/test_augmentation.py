"""Sequences of ops: the same views everywhere, and draws that belong to their op and view alone."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import augmentation as augmentation_lib
from nfnets_am.data.ops import base
from tests.data.ops import helpers

SEQUENCES = [
    'pad_crop(pad=4) | flip() | normalise()',
    "flip() | pad_crop(pad=3, mode='reflect') | normalise() | cutout(length=4)",
    "pad_crop(pad=5) | flip() | pad_crop(pad=2, mode='reflect') | flip() | normalise()",
    # Black from the last crop stays black through the earlier ops.
    'pad_crop(pad=3) | flip() | pad_crop(pad=3) | normalise()',
]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Darken(base.Op):
  """A pixel op that moves nothing: value minus a draw, not below 0."""

  def draw(self, words, height, width):
    return {'by': (words[0] >> 25).astype('int32')}

  works_on = (base.BYTES,)

  def apply(self, xp, images, draws):
    by = draws['by'][:, None, None, None]
    return xp.cast(xp.maximum(xp.cast(images, 'int32') - by, 0), 'uint8')


@pytest.mark.parametrize('text', SEQUENCES)
def test_fused_ops_equal_one_op_at_a_time_and_host_equals_device(text):
  images = helpers.random_images(30)
  augmentation = ops.parse(text)
  draws = augmentation.draws(0, helpers.rows(30), 8, 6)
  wanted = jnp.asarray(images)
  for label in augmentation.labels[:augmentation.at]:
    wanted = augmentation.ops[label].apply(arrays.JAX, wanted, draws[label])
  for place in helpers.PLACES:
    np.testing.assert_array_equal(place(augmentation, images, draws), wanted)


def test_ops_that_change_values_stand_between_ops_that_move():
  flip, darken, crop = ops.Flip(), Darken(), ops.PadCrop(pad=2)
  augmentation = ops.Augmentation('made by hand', [
      ('darken', darken), ('flip', flip), ('darken', darken), ('pad_crop', crop),
      ('normalise', ops.Normalise())])
  images = helpers.random_images(30)
  draws = augmentation.draws(0, helpers.rows(30), 8, 6)
  assert list(draws) == ['darken', 'flip', 'darken_2', 'pad_crop']
  wanted = jnp.asarray(images)
  for label, op in [('darken', darken), ('flip', flip), ('darken_2', darken), ('pad_crop', crop)]:
    wanted = op.apply(arrays.JAX, wanted, draws[label])
  for place in (helpers.host_eager, helpers.device_jitted, helpers.device_from_the_set):
    np.testing.assert_array_equal(place(augmentation, images, draws), wanted)


def test_the_views_of_an_image_are_independent_draws():
  # 81 windows times 2: 16 views show 162 * (1 - (161/162)**16) = 15.28 different ones. Each pixel
  # is unlike all others in its three channels, so different draws are different views.
  y, x = np.mgrid[:32, :32]
  image = np.stack([8 * y, 8 * x, 7 + y + x], -1).astype(np.uint8)
  images = np.broadcast_to(image, (3200, 32, 32, 3))
  augmentation = ops.parse('pad_crop(pad=4) | flip() | normalise()')
  views = [helpers.host_eager(augmentation, images, augmentation.draws(
      0, helpers.rows(200, epoch=e, views_per_image=16), 32, 32)) for e in (0, 1)]
  different = [len({view.tobytes() for view in part}) for part in views[0].reshape(200, 16, -1)]
  assert 14.9 < np.mean(different) < 15.6
  same_in_next_epoch = (views[0] == views[1]).all((1, 2, 3)).mean()
  assert same_in_next_epoch < 5 / 162


def test_an_ops_draws_do_not_depend_on_the_others():
  rows = helpers.rows(20)
  alone = ops.parse('flip() | normalise()').draws(7, rows, 32, 32)['flip']
  among = ops.parse('pad_crop() | flip() | normalise() | cutout() ').draws(7, rows, 32, 32)['flip']
  np.testing.assert_array_equal(alone['flip'], among['flip'])


def test_a_views_draws_do_not_depend_on_the_batch_it_stands_in():
  augmentation = ops.parse(SEQUENCES[1])
  rows = helpers.rows(20, epoch=3, views_per_image=4)
  together = augmentation.draws(7, rows, 32, 32)
  turned = type(rows)(*(x[::-3] for x in rows))
  apart = augmentation.draws(7, turned, 32, 32)
  jax.tree.map(lambda a, t: np.testing.assert_array_equal(a, t[::-3]), apart, together)


def test_seed_epoch_image_and_view_all_matter():
  augmentation = ops.parse('pad_crop() | normalise()')
  first = augmentation.draws(0, helpers.rows(300), 32, 32)['pad_crop']['top']
  rows = helpers.rows(300)
  others = [
      augmentation.draws(1, rows, 32, 32),
      augmentation.draws(0, rows._replace(epoch=rows.epoch + 1), 32, 32),
      augmentation.draws(0, rows._replace(example=rows.example + 300), 32, 32),
      augmentation.draws(0, rows._replace(view=rows.view + 1), 32, 32)]
  for other in others:
    assert .05 < (other['pad_crop']['top'] == first).mean() < .2  # 1/9 by chance


@pytest.mark.parametrize('place', [helpers.host_eager, helpers.host_in_map, helpers.device_jitted])
def test_without_draws_the_image_is_the_raw_one(place):
  images = helpers.random_images(5)
  augmentation = ops.parse(SEQUENCES[1])
  np.testing.assert_array_equal(place(augmentation, images, {}), images)
  augmentation = augmentation.bind((.5,) * 3, (.25,) * 3)
  seen, _ = augmentation.follow(
      arrays.JAX, augmentation.at, None, augmentation_lib.Lane(jnp.asarray(images), {}))
  np.testing.assert_array_equal(seen, augmentation.normalised(jnp.asarray(images)))


def test_behind_normalise_images_are_padded_with_the_mean_colour():
  images = helpers.random_images(30)
  way = ops.parse('normalise(mean=.3, std=.2) | pad_crop(pad=4) | flip()').bind((0,) * 3, (1,) * 3)
  draws = way.draws(0, helpers.rows(30), 8, 6)
  seen, _ = way.follow(arrays.JAX, 0, None, augmentation_lib.Lane(jnp.asarray(images), draws))
  normalised = (images / 255 - .3) / .2
  for view, image, top, left, flip in zip(
      seen, normalised, *draws['pad_crop'].values(), draws['flip']['flip'], strict=True):
    wanted = np.pad(image, ((4, 4), (4, 4), (0, 0)))[top:top + 8, left:left + 6]
    np.testing.assert_allclose(view, wanted[:, ::-1] if flip else wanted, atol=1e-5)


@pytest.mark.parametrize('text, sentence', [
    ('pad_crop() | flip()', r'has 0 normalise\(\); allowed: exactly one'),
    ('normalise() | normalise()', r'has 2 normalise\(\); allowed: exactly one'),
    ('cutout() | normalise()', r'has cutout on the wrong side of normalise\(\); allowed: after'),
    ("normalise() | randaugment(contrast='fixed')",
     r'has randaugment on the wrong side of normalise\(\); allowed: before'),
    ("mix('bc_plus()') | normalise()",
     r'has mix on the wrong side of normalise\(\); allowed: after'),
    ("mix('mixup()') | mix('cutmix()') | normalise()", r'has 2 mix\(\); allowed: at most one'),
    ('flip() | crop(32) | normalise()', r'has crop\(\) at place 2; allowed: as the first op'),
])
def test_sequences_that_make_no_sense_are_refused(text, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    ops.parse(text)
