"""DenseNet-BC: sizes, the same in numpy, how weights start."""

import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from tests.models import by_numpy
from tests.models import laws


@pytest.mark.parametrize('classes, parameters', [(10, 769_162), (100, 800_032)])
def test_it_has_the_published_size(classes, parameters):
  assert counting.parameters(models.create_model('densenet_bc', classes)) == parameters


def _by_hand(params, averages, x, training):
  net = by_numpy.Network('densenet', params, averages, training)
  unit = lambda name, x: net.conv(f'{name}/conv', by_numpy.relu(net.norm(f'{name}/norm', x)))
  maps = [net.conv('stem', x)]
  for block in range(3):
    for layer in range(2):
      name = f'block{block}_layer{layer}'
      maps.append(unit(f'{name}_unit1', unit(f'{name}_unit0', np.concatenate(maps, -1))))
    if block < 2:
      maps = [by_numpy.average_pool(unit(f'transition{block}', np.concatenate(maps, -1)), 2, 2)]
  x = by_numpy.relu(net.norm('norm', np.concatenate(maps, -1)))
  return {'logits': net.linear('linear', x.mean((1, 2)))}, net.moved


def test_it_is_the_same_in_numpy():
  model = models.create_model('densenet_bc', 5, depth=16, growth=3)
  images = np.random.default_rng(3).normal(size=(3, 14, 9, 3))
  by_numpy.compare(model, _by_hand, images)


def test_weights_start_as_in_the_public_code():
  params = laws.start(models.create_model('densenet_bc', 100, depth=16, growth=24), 8)
  for module, weights in params.items():
    if 'scale' in weights:
      laws.assert_norm(weights)
    elif module == 'densenet/linear':
      laws.assert_uniform(weights['w'], len(weights['w']) ** -0.5)
      assert not weights['b'].any()
    else:
      assert set(weights) == {'w'}
      laws.assert_normal(weights['w'], 2 / np.prod(weights['w'].shape[:3]))


@pytest.mark.parametrize('key, value, words', [
    ('depth', 101, r'model.depth=101; allowed: 10, 16, .*6 b \+ 4'),
    ('growth', 0, 'model.growth=0')])
def test_bad_arguments(key, value, words):
  with pytest.raises(errors.ConfigError, match=words):
    models.create_model('densenet_bc', 10, **{key: value})
