"""Normalise: published constants, the config's own, and each image's own mean."""

import numpy as np
import pytest

from nfnets_am.core import errors
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
  finished = ops.parse('normalise()').bind((mean,), (std,)).normalised(images)
  assert finished.dtype == np.float32
  assert np.mean(finished) == pytest.approx(value, abs=5e-5)


def test_each_channel_has_its_own_constants():
  images = helpers.random_images(3)
  mean, std = (.1, .2, .3), (.4, .5, .6)
  finished = ops.parse('flip() | normalise()').bind(mean, std).normalised(images)
  np.testing.assert_allclose(finished, (images / 255 - mean) / std, rtol=1e-5, atol=1e-6)


def test_numbers_of_the_config_stand_before_the_data_sets():
  images = helpers.random_images(3)
  way = ops.parse('normalise(mean=(.1, .2, .3), std=.5)').bind((.9,) * 3, (.8,) * 3)
  np.testing.assert_allclose(
      way.normalised(images), (images / 255 - (.1, .2, .3)) / .5, rtol=1e-5, atol=1e-6)


def test_each_images_own_mean_leaves_first():
  images = helpers.random_images(3)
  # The numbers of Summers 2021's public code for BC+.
  mean, std = (.01803922, .00878431, -.02682353), (.21921569, .21058824, .22156863)
  way = ops.parse(f'normalise(mean={mean}, std={std}, per_image=True)').bind((0,) * 3, (1,) * 3)
  wanted = [((x - x.mean()) / 255 - mean) / std for x in images.astype(np.float64)]
  np.testing.assert_allclose(way.normalised(images), wanted, atol=1e-5)


@pytest.mark.parametrize('arguments, sentence', [
    ('std=0', 'std=0; allowed: numbers above 0'), ("mean='red'", "mean='red'; allowed: numbers"),
    ('per_image=True', 'per_image=True and no mean'), ('per_image=1, mean=0', 'per_image=1;'),
    ('mean=(0, 0)', 'mean=.*allowed: 3 numbers, one for each channel')])
def test_refuses(arguments, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    ops.parse(f'normalise({arguments})').bind((0,) * 3, (1,) * 3)
