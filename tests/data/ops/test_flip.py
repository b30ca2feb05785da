"""Flip against a loop; its probability."""

import numpy as np
import pytest

from nfnets_am.data import ops
from tests.data.ops import helpers


@pytest.mark.parametrize('place', helpers.PLACES, ids=lambda p: p.__name__)
def test_equals_a_loop_over_mirrored_images(place):
  images = helpers.random_images(20)
  augmentation = ops.parse('flip() | normalise()')
  draws = augmentation.draws(0, helpers.rows(20), 8, 6)
  flips = draws['flip']['flip']
  assert set(flips.tolist()) == {0, 1}
  wanted = [image[:, ::-1] if flip else image for image, flip in zip(images, flips, strict=True)]
  np.testing.assert_array_equal(place(augmentation, images, draws), wanted)


def test_half_of_the_views_are_mirrored():
  draws = ops.parse('flip() | normalise()').draws(0, helpers.rows(10_000), 8, 8)
  assert abs(draws['flip']['flip'].mean() - .5) < 5 * .5 / 100
