"""MobileNet v2: its published size, the same in numpy, how weights start."""

import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from tests.models import by_numpy
from tests.models import laws

# (factor, stride) of every block, one after the other.
_BLOCKS = ([(1, 1), (6, 2), (6, 1), (6, 2), (6, 1), (6, 1), (6, 2)] + [(6, 1)] * 6 + [(6, 2)]
           + [(6, 1)] * 3)
_FIRST = (0, 1, 3, 6, 10, 13, 16)


def test_it_has_the_published_size():
  """3.4M parameters and 300M multiply-adds in the paper; the exact number is torchvision's."""
  model = models.create_model('mobilenet_v2', 1000)
  assert counting.parameters(model) == 3_504_872
  assert counting.forward_macs(model, 224) == 300_774_272
  assert counting.parameters(models.create_model('mobilenet_v2', 1000, width=1.4)) == 6_108_776


def _by_hand(params, averages, x, training):
  net = by_numpy.Network('mobilenet_v2', params, averages, training)

  def unit(name, x, stride=1, bend=True):
    x = net.norm(f'{name}/norm', net.conv(f'{name}/conv', x, (stride, stride)))
    return np.minimum(np.maximum(x, 0), 6) if bend else x

  x = unit('stem', x, 2)
  for number, (factor, stride) in enumerate(_BLOCKS):
    stage = max(s for s, first in enumerate(_FIRST) if first <= number)
    name = f'stage{stage}_block{number - _FIRST[stage]}'
    y = unit(f'{name}/widen', x) if factor > 1 else x
    y = unit(f'{name}/narrow', unit(f'{name}/depthwise', y, stride), bend=False)
    # Within a stage channels and size stay, and the shortcut is there; nowhere else.
    x = x + y if number not in _FIRST else y
  x = unit('last', x)
  return {'logits': net.linear('linear', x.mean((1, 2)))}, net.moved


def test_it_is_the_same_in_numpy():
  model = models.create_model('mobilenet_v2', 5, width=0.35, dropout=0.0)
  images = np.random.default_rng(3).normal(size=(4, 50, 34, 3))
  by_numpy.compare(model, _by_hand, images,
                   # Behind a narrow norm there are 1x1 convolutions and norms alone.
                   lambda module, name: module.endswith('narrow/norm') and name == 'offset')


def test_weights_start_as_in_torchvision():
  params = laws.start(models.create_model('mobilenet_v2', 100), 8)
  for module, weights in params.items():
    if 'scale' in weights:
      laws.assert_norm(weights)
    elif module == 'mobilenet_v2/linear':
      laws.assert_normal(weights['w'], 1e-4)
      assert not weights['b'].any()
    else:
      height, width, _, out = weights['w'].shape
      laws.assert_normal(weights['w'], 2 / (height * width * out))
      assert 'b' not in weights


@pytest.mark.parametrize('key, value', [('width', 0.0), ('dropout', 1.0)])
def test_what_no_network_has_is_refused(key, value):
  with pytest.raises(errors.ConfigError, match=f'model.{key}={value}; allowed'):
    models.create_model('mobilenet_v2', 10, **{key: value})
