"""Residual networks with the norm before the ReLU: sizes, the same in numpy, how weights start."""

import jax
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import resnet
from nfnets_am.optim import masks
from tests.models import by_numpy
from tests.models import laws


@pytest.mark.parametrize('name, classes, parameters', [
    ('resnet_cifar', 10, 661_338), ('resnet_cifar', 100, 667_188),
    ('wide_resnet_postact', 10, 36_481_434), ('wide_resnet_postact', 100, 36_539_124),
    ('resnet18', 1000, 11_689_512), ('resnet34', 1000, 21_797_672), ('resnet50', 1000, 25_557_032),
    ('resnet101', 1000, 44_549_160), ('resnet152', 1000, 60_192_808)])
def test_it_has_the_published_size(name, classes, parameters):
  assert counting.parameters(models.create_model(name, classes)) == parameters


def test_a_resnet50_strides_in_its_3x3_convolutions():
  # With the stride in the 1x1 convolutions before them it would be 3.86e9.
  assert counting.forward_macs(models.create_model('resnet50', 1000), 224) == 4_089_184_256


@pytest.mark.parametrize('name, shortcuts', [
    ('resnet_cifar', (1, 2)), ('wide_resnet_postact', (0, 1, 2)), ('resnet18', (1, 2, 3)),
    ('resnet50', (0, 1, 2, 3))])
def test_shortcuts_where_the_shape_changes(name, shortcuts):
  params = laws.shapes(models.create_model(name, 10))
  for end in ('shortcut', 'shortcut_norm'):
    assert [module for module in params if module.endswith('/' + end)] == [
        f'resnet/stage{stage}_block0/{end}' for stage in shortcuts]


def _by_hand(kernels, stages, large):
  """Kernels of a block's convolutions, the second or only 3x3 strided; one block in a stage."""

  def network(params, averages, x, training):
    net = by_numpy.Network('resnet', params, averages, training)
    x = by_numpy.relu(net.norm('stem_norm', net.conv('stem', x, (2, 2) if large else (1, 1))))
    x = by_numpy.max_pool(x, 3, 2, 1) if large else x
    for stage in range(stages):
      name, stride = f'stage{stage}_block0', (2, 2) if stage else (1, 1)
      strided = kernels.index(3)
      out = x
      for c in range(len(kernels)):
        out = by_numpy.relu(out) if c else out
        out = net.norm(f'{name}/norm{c}', net.conv(
            f'{name}/conv{c}', out, stride if c == strided else (1, 1)))
      if f'resnet/{name}/shortcut' in params:
        x = net.norm(f'{name}/shortcut_norm', net.conv(f'{name}/shortcut', x, stride))
      x = by_numpy.relu(x + out)
    return {'logits': net.linear('linear', x.mean((1, 2)))}, net.moved

  return network


def test_the_small_one_is_the_same_in_numpy():
  """9x11 pixels are odd all the way down."""
  images = np.random.default_rng(3).normal(size=(3, 9, 11, 3))
  model = models.create_model('resnet_cifar', 5, depth=8, width=4)
  by_numpy.compare(model, _by_hand([3, 3], 3, False), images)


def test_the_large_one_is_the_same_in_numpy(monkeypatch):
  monkeypatch.setitem(resnet.VARIANTS, 'few', resnet.Variant((1, 1, 1, 1)))
  images = np.random.default_rng(3).normal(size=(3, 46, 50, 3))
  model = resnet.create('few', 5, width=2)
  by_numpy.compare(model, _by_hand([1, 3, 1], 4, True), images)


def test_weights_start_as_in_the_public_code(monkeypatch):
  monkeypatch.setitem(resnet.VARIANTS, 'few', resnet.Variant((1, 1, 1, 1)))
  for model, last in ((models.create_model('resnet_cifar', 100, depth=8, width=64), 'norm1'),
                      (resnet.create('few', 100, width=32), 'norm2')):
    for module, weights in laws.start(model, 32).items():
      if 'scale' in weights:
        laws.assert_norm(weights, float(not module.endswith('/' + last)))
      elif module == 'resnet/linear':
        laws.assert_normal(weights['w'], 1e-4)
        assert not weights['b'].any()
      else:
        height, width, _, out = weights['w'].shape
        laws.assert_normal(weights['w'], 2 / (height * width * out))


def test_decay_leaves_norms_and_the_bias_alone():
  params = laws.shapes(models.create_model('resnet_cifar', 10))
  found = masks.named('not_norm_bias', params)
  # 43 layers before the head, two shortcuts, the head.
  assert sum(jax.tree.leaves(found)) == 43 + 2 + 1
  assert all(w.ndim > 1 for w, here in zip(
      jax.tree.leaves(params), jax.tree.leaves(found), strict=True) if here)


@pytest.mark.parametrize('name, key, words', [
    ('resnet_cifar', 'depth=28', r'depth=28; allowed: 8, 14, .*6 b \+ 2'),
    ('wide_resnet_postact', 'depth=44', r'depth=44; allowed: 10, 16, .*6 b \+ 4'),
    ('resnet50', 'width=0', 'model.width=0')])
def test_bad_arguments(name, key, words):
  key, value = key.split('=')
  with pytest.raises(errors.ConfigError, match=words):
    models.create_model(name, 10, **{key: int(value)})
