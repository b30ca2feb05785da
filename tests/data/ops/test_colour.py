"""What the colour ops rest on: extremes by halves, and sums that are rounded in float32."""

import numpy as np
import pytest

from nfnets_am.data import tensorflow
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import colour

tf = tensorflow.import_tensorflow()
xp = arrays.tf()


@pytest.mark.parametrize('height, width', [(1, 1), (1, 5), (33, 31), (2, 7)])
def test_extremes_are_found_by_halves_of_any_size(height, width):
  image = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
  for of_two, wanted in ((xp.minimum, image.min((0, 1))), (xp.maximum, image.max((0, 1)))):
    np.testing.assert_array_equal(colour._extreme(xp, of_two, tf.constant(image)), wanted)


def test_a_smoothed_value_is_rounded_as_an_integer_would_be():
  total = np.arange(13 * 255 + 1)
  found = np.floor(total.astype(np.float32) * np.float32(1 / 13) + np.float32(0.5))
  np.testing.assert_array_equal(found, (2 * total + 13) // 26)


@pytest.mark.parametrize('shape', [(1, 1, 3), (2, 9, 3), (9, 2, 1)])
def test_sharpness_leaves_images_that_are_all_edge(shape):
  image = tf.constant(np.random.default_rng(0).integers(0, 256, shape, np.uint8))
  np.testing.assert_array_equal(colour.sharpness(xp, image, 1.9), image)
