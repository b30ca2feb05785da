"""AlexNet with batch norm: size, the same in numpy, how weights start."""

import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from tests.models import by_numpy
from tests.models import laws


def test_it_has_the_size_of_the_public_code():
  # Kernels, five norms of maps, two hidden layers with norms, head with bias.
  kernels = 121 * 3 * 64 + 25 * 64 * 192 + 9 * (192 * 384 + 384 * 256 + 256 * 256)
  hidden = 36 * 256 * 4096 + 4096 * 4096
  norms = 2 * (64 + 192 + 384 + 256 + 256 + 4096 + 4096)
  assert counting.parameters(models.create_model('alexnet', 1000)) == (
      kernels + hidden + norms + 4097 * 1000) == 61_110_184


def _by_hand(params, averages, x, training):
  net = by_numpy.Network('alexnet', params, averages, training)
  relu, pool = by_numpy.relu, lambda x: by_numpy.max_pool(x, 3, 2)
  x = relu(net.norm('norm0', pool(net.conv('conv0', x, (4, 4), pad=(2, 2)))))
  x = net.norm('norm1', relu(pool(net.conv('conv1', x))))
  x = net.norm('norm2', relu(net.conv('conv2', x)))
  x = net.norm('norm3', relu(net.conv('conv3', x)))
  x = net.norm('norm4', relu(pool(net.conv('conv4', x)))).reshape(len(x), -1)
  for name in ('hidden0', 'hidden1'):
    x = relu(net.norm(f'{name}_norm', net.linear(name, x)))
  return {'logits': net.linear('linear', x)}, net.moved


def test_it_is_the_same_in_numpy():
  model = models.create_model('alexnet', 5, width=4, hidden=8, dropout=0.0)
  # 2x1 pixels are left in the end.
  images = np.random.default_rng(3).normal(size=(5, 97, 64, 3))
  by_numpy.compare(model, _by_hand, images,
                   # The norm of the hidden layer takes this offset away again.
                   lambda module, name: (module, name) == ('alexnet/norm4', 'offset'))


def test_weights_start_as_in_torch():
  params = laws.start(models.create_model('alexnet', 100, width=16, hidden=128), 63)
  assert [module for module, weights in params.items() if 'b' in weights] == ['alexnet/linear']
  for weights in params.values():
    (laws.assert_norm if 'scale' in weights else laws.assert_torch)(weights)


def test_images_that_are_too_small_are_refused():
  model = models.create_model('alexnet', 10)
  with pytest.raises(errors.ConfigError, match='62x62 pixels for alexnet; allowed: from 63x63'):
    counting.forward_macs(model, 62)
  for key, value in (('width', 0), ('hidden', 0), ('dropout', -0.1)):
    with pytest.raises(errors.ConfigError, match=f'model.{key}={value}'):
      models.create_model('alexnet', 10, **{key: value})
