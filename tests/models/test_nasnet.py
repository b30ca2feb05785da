"""NASNet-A: its published size, the same in numpy, means over what there is of an image."""

import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import layers
from tests.models import by_numpy


def test_it_has_the_published_size():
  """88.9M parameters and 23.8B multiply-adds in the paper; the exact number is timm's."""
  model = models.create_model('nasnet_a_large', 1000)
  assert counting.parameters(model) == 88_753_150
  assert 23.7e9 < counting.forward_macs(model, 331) < 23.9e9


def _pad(x, side, stride, fill):
  """TensorFlow's 'SAME': as much as an output of n / stride, rounded up, needs; less before."""
  total = [max((-(-n // stride) - 1) * stride + side - n, 0) for n in x.shape[1:3]]
  return np.pad(x, [(0, 0), *((t // 2, t - t // 2) for t in total), (0, 0)], constant_values=fill)


class _Network(by_numpy.Network):
  """With the 'SAME' padding of strided operations; the norm's constants are those of the tests."""

  def pool(self, kind, x, stride):
    x = _pad(x, 3, stride, np.nan)
    parts = by_numpy.windows(x, 3, stride, 0, 0)
    return np.nanmax(parts, 0) if kind == 'max' else np.nanmean(parts, 0)

  def separable(self, name, x, side, stride):
    for number, s in enumerate((stride, 1)):
      x = by_numpy.relu(x)
      x = self.conv(f'{name}/depthwise{number}', _pad(x, side, s, 0), (s, s), pad=(0, 0))
      x = self.norm(f'{name}/norm{number}', self.conv(f'{name}/pointwise{number}', x))
    return x

  def enter(self, name, x, halve=False):
    x = by_numpy.relu(x)
    if not halve:
      return self.norm(f'{name}/norm', self.conv(f'{name}/conv', x))
    shifted = np.zeros_like(x)
    shifted[:, :-1, :-1] = x[:, 1:, 1:]
    both = [self.conv(f'{name}/conv{i}', y[:, ::2, ::2]) for i, y in enumerate((x, shifted))]
    return self.norm(f'{name}/norm_of_both', np.concatenate(both, -1))

  def normal(self, name, before, x):
    b = self.enter(f'{name}/enter0', before, before.shape[1] > x.shape[1])
    a = self.enter(f'{name}/enter1', x)
    sep = lambda place, x, side: self.separable(f'{name}/sum{place}', x, side, 1)
    near = lambda x: self.pool('average', x, 1)
    return np.concatenate([
        b, sep('0_0', a, 5) + sep('0_1', b, 3), sep('1_0', b, 5) + sep('1_1', b, 3), near(a) + b,
        2 * near(b), sep('4_0', a, 3) + a], -1)

  def reduction(self, name, before, x):
    b = x if before is None else self.enter(
        f'{name}/enter0', before, before.shape[1] > x.shape[1])
    a = self.enter(f'{name}/enter1', x)
    sep = lambda place, x, side, s=2: self.separable(f'{name}/sum{place}', x, side, s)
    one = sep('0_0', a, 5) + sep('0_1', b, 7)
    two = self.pool('max', a, 2) + sep('1_1', b, 7)
    return np.concatenate([
        two, self.pool('average', a, 2) + sep('2_1', b, 5), two + self.pool('average', one, 1),
        sep('4_0', one, 3, 1) + self.pool('max', a, 2)], -1)


def _by_hand(params, averages, x, training):
  net = _Network('nasnet', params, averages, training)
  stem = net.norm('stem_norm', net.conv('stem', x, (2, 2), pad=(0, 0)))
  first = net.reduction('stem0', None, stem)
  second = net.reduction('stem1', stem, first)
  cell0 = net.normal('cell0', first, second)
  halved = net.reduction('reduction0', second, cell0)
  cell1 = net.normal('cell1', second, halved)
  halved_again = net.reduction('reduction1', halved, cell1)
  cell2 = net.normal('cell2', halved, halved_again)
  return {'logits': net.linear('linear', by_numpy.relu(cell2).mean((1, 2)))}, net.moved


def test_it_is_the_same_in_numpy():
  model = models.create_model('nasnet_a_large', 3, filters=8, cells=1, stem=3, dropout=0.0,
                              norm='batch()')
  # Maps of odd and of even sides on the way.
  images = np.random.default_rng(3).normal(size=(3, 67, 53, 3))
  by_numpy.compare(model, _by_hand, images)


def test_padding_counts_in_a_mean_where_it_is_asked_for():
  x = np.ones((1, 5, 5, 1), np.float32)
  np.testing.assert_allclose(layers.average_pool(x, 3, 2, 'SAME'), np.ones((1, 3, 3, 1)))
  counted = layers.average_pool(x, 3, 2, 'SAME', count_padding=True)
  np.testing.assert_allclose(counted[0, :, :, 0] * 9, [[4, 6, 4], [6, 9, 6], [4, 6, 4]], rtol=1e-6)


@pytest.mark.parametrize('key, value', [('filters', 6), ('cells', 0), ('stem', 0), ('dropout', 1.)])
def test_what_no_network_has_is_refused(key, value):
  with pytest.raises(errors.ConfigError, match=f'model.{key}={value}; allowed'):
    models.create_model('nasnet_a_large', 10, **{key: value})
