"""Normalise: published constants, and the raw image where nothing else is asked for."""

import numpy as np
import pytest

from nfnets_am.data import ops
from nfnets_am.data.memory import sources
from tests.data.ops import helpers


@pytest.mark.parametrize('mean, std, value', [
    (.485, .229, .0655),  # ImageNet constants
    (.4914, .2023, .04251),  # constants often used for CIFAR
    (sources._CIFAR[0][0], sources._CIFAR[1][0], (.5 - 0.49139968) / 0.24703223),
])
def test_red_one_half_under_published_constants(mean, std, value):
  images = np.array([127, 128], np.uint8).reshape(2, 1, 1, 1)  # one half lies between the two
  finished = ops.parse('normalise()').finish(images, {}, (mean,), (std,))
  assert finished.dtype == np.float32
  assert np.mean(finished) == pytest.approx(value, abs=5e-5)


def test_each_channel_has_its_own_constants():
  images = helpers.random_images(3)
  mean, std = (.1, .2, .3), (.4, .5, .6)
  finished = ops.parse('flip() | normalise()').finish(images, {}, mean, std)
  np.testing.assert_allclose(finished, (images / 255 - mean) / std, rtol=1e-5, atol=1e-6)
