"""MobileNet v1: size, the same in numpy, how weights start, what decay covers."""

import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.optim import masks
from tests.models import by_numpy
from tests.models import laws

_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


def test_it_has_the_size_of_the_public_code():
  """4.2M parameters and 569M multiply-adds are published."""
  model = models.create_model('mobilenet_v1', 1000)
  inputs = [32, 64, 128, 128, 256, 256] + [512] * 6 + [1024]
  # Without the biases that the public code leaves in depthwise convolutions.
  assert counting.parameters(model) - sum(inputs) == 4_231_976
  assert counting.forward_macs(model, 224) == 568_740_352


def _by_hand(params, averages, x, training):
  net = by_numpy.Network('mobilenet', params, averages, training)
  unit = lambda name, x, stride: by_numpy.relu(
      net.norm(f'{name}/norm', net.conv(f'{name}/conv', x, (stride, stride))))
  x = unit('stem', x, 2)
  for pair, stride in enumerate(_STRIDES):
    x = unit(f'pair{pair}_pointwise', unit(f'pair{pair}_depthwise', x, stride), 1)
  return {'logits': net.linear('linear', x.mean((1, 2)))}, net.moved


def test_it_is_the_same_in_numpy():
  model = models.create_model('mobilenet_v1', 5, width=0.0625)
  images = np.random.default_rng(3).normal(size=(4, 50, 34, 3))
  by_numpy.compare(model, _by_hand, images,
                   # The norm takes the bias of its convolution away again.
                   lambda module, name: 'depthwise' in module and name == 'b')


def test_weights_start_as_in_the_public_code():
  params = laws.start(models.create_model('mobilenet_v1', 100), 8)
  for module, weights in params.items():
    if 'scale' in weights:
      laws.assert_norm(weights)
    elif module == 'mobilenet/linear':
      laws.assert_torch(weights)
    else:
      height, width, _, out = weights['w'].shape
      laws.assert_normal(weights['w'], 2 / (height * width * out))
      if 'depthwise' in module:
        laws.assert_uniform(weights['b'], 1 / 3)
      else:
        assert 'b' not in weights


def test_decay_leaves_depthwise_kernels_norms_and_biases_alone():
  params = laws.shapes(models.create_model('mobilenet_v1', 10))
  found = masks.named('kernels_not_depthwise', params)
  assert {(module, name) for module, leaves in found.items() for name, here in leaves.items()
          if here} == {('mobilenet/stem/conv', 'w'), ('mobilenet/linear', 'w')} | {
              (f'mobilenet/pair{pair}_pointwise/conv', 'w') for pair in range(13)}


def test_a_width_without_channels_is_refused():
  with pytest.raises(errors.ConfigError, match='model.width=0.03; allowed: from 1/32'):
    models.create_model('mobilenet_v1', 10, width=0.03)
