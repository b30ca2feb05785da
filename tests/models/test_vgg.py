"""VGG: sizes, the same in numpy, how weights start."""

import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from tests.models import by_numpy
from tests.models import laws


@pytest.mark.parametrize('classes, parameters', [(10, 33_646_666), (100, 34_015_396)])
def test_it_has_the_published_size(classes, parameters):
  assert counting.parameters(models.create_model('vgg16', classes)) == parameters


def _by_hand(params, averages, x, training):
  net = by_numpy.Network('vgg', params, averages, training)
  for name in ['stage0_conv0', 'pool', 'stage1_conv0', 'pool', 'stage2_conv0', 'stage2_conv1',
               'pool', 'stage3_conv0', 'stage3_conv1', 'pool', 'stage4_conv0', 'stage4_conv1',
               'pool']:
    x = (by_numpy.max_pool(x, 2, 2) if name == 'pool' else
         by_numpy.relu(net.norm(f'{name}_norm', net.conv(name, x))))
  x = by_numpy.relu(net.linear('hidden0', x.reshape(len(x), -1)))
  x = by_numpy.relu(net.linear('hidden1', x))
  return {'logits': net.linear('linear', x)}, net.moved


def test_it_is_the_same_in_numpy():
  model = models.create_model('vgg11', 5, width=4, hidden=8, dropout=0.0)
  # 33x32 pixels: a row is left over on the way down.
  images = np.random.default_rng(3).normal(size=(4, 33, 32, 3))
  by_numpy.compare(model, _by_hand, images,
                   # The norm takes the bias of its convolution away again.
                   lambda module, name: '_conv' in module and name == 'b')


def test_weights_start_as_in_torch():
  model = models.create_model('vgg11', 100, width=16, hidden=128)
  assert sum('b' in weights for weights in laws.shapes(model).values()) == 8 + 3
  for weights in laws.start(model, 32).values():
    (laws.assert_norm if 'scale' in weights else laws.assert_torch)(weights)


@pytest.mark.parametrize('key, value, words', [
    ('width', 0, 'model.width=0'), ('hidden', 0, 'model.hidden=0'),
    ('dropout', 1.0, 'model.dropout=1.0; allowed: from 0 to below 1')])
def test_bad_arguments(key, value, words):
  with pytest.raises(errors.ConfigError, match=words):
    models.create_model('vgg16', 10, **{key: value})


def test_images_that_are_too_small_are_refused():
  with pytest.raises(errors.ConfigError, match='28x28 pixels .* allowed: from 32x32'):
    counting.forward_macs(models.create_model('vgg16', 10), 28)
