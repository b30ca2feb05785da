"""Views of a single image against those of training, from a set in memory and from a stream."""

import jax
import numpy as np
import pytest

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import one_image
from nfnets_am.data.stream import records
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from tests import tiny_stream


def _first_update(config):
  """The prepared rows of a run's first update, its batch, and the run."""
  run = run_lib.build(config, devices=1, hosts=1)
  batch = next(feed.host_batches(run, 0, 1))
  prepare = run.dataset.preparation
  return np.asarray(jax.jit(prepare.prepare)(run.dataset.pool, prepare.pack(batch, 1))['inputs']
                    ), batch, run


def test_views_are_those_that_training_draws_of_an_image_in_memory():
  config = schema.get_default()
  config.multiplicity, config.unique, config.data.apply = 3, 4, 'device'
  config.seeds.augment = 5
  config.data.augment = 'pad_crop(pad=3) | flip() | normalise(mean=0.5, std=0.25) | cutout(4)'
  inputs, batch, run = _first_update(config)
  example = int(batch['example'][-1])
  found = one_image.draw(run.dataset.splits['train'].image[example], config.data.augment, 3,
                         seed=5, example=example)
  # The bytes are equal; a compiled program may round what follows in another order.
  np.testing.assert_allclose(found, inputs[-3:], atol=1e-6)
  assert len(np.unique(found.reshape(3, -1), axis=0)) == 3


def test_views_are_those_that_training_draws_of_a_streamed_image(stored):
  config = tiny_stream.get_config()
  config.unique, config.seeds.augment = 4, 5
  config.data.data_dir = stored
  config.data.augment = (
      'crop(16) | flip() | '
      "randaugment(num_ops=1, magnitude=5, contrast='as_published') | normalise()")
  inputs, batch, run = _first_update(config)
  example = int(batch['example'][0])
  split = run.dataset.splits['train']
  shard, index = split.where(example)
  (serialized,) = split.read(shard, index, 1)
  image = records.decode(split.parse(serialized)[0]).numpy()
  found = one_image.draw(image, config.data.augment, 2, seed=5, example=example)
  np.testing.assert_allclose(found, inputs[:2], atol=1e-6)


@pytest.mark.parametrize('image, augment, count, words', [
    (np.zeros((4, 4, 3), np.float32), 'normalise()', 1, r'float32 \[4, 4, 3\]; allowed: uint8'),
    (np.zeros((4, 4), np.uint8), 'normalise()', 1, r'uint8 \[4, 4\]; allowed'),
    ([[0]], 'normalise()', 1, 'the image is list'),
    (np.zeros((4, 4, 3), np.uint8), 'normalise()', 0, '0 views of an image; allowed: from 1'),
    (np.zeros((4, 4, 1), np.uint8), 'normalise(mean=.5)', 1, 'no mean and deviation for 1 chan'),
    (np.zeros((4, 4, 3), np.uint8), "mix('mixup()') | normalise()", 2, 'has no partner'),
    (np.zeros((4, 4, 3), np.uint8), 'pad_crop(pad=9) | normalise()', 2, 'pad=9'),
])
def test_what_cannot_be_drawn_is_refused(image, augment, count, words):
  with pytest.raises(errors.ConfigError, match=words):
    one_image.draw(image, augment, count)
