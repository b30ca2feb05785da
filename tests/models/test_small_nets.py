"""VGG-11, ShuffleNetV2 and the shallow networks of Summers 2021, ch. 5, against plain code."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import model as model_lib
from nfnets_am.models import shufflenet_v2
from tests.models import against_plain
from tests.models import plain


@pytest.mark.parametrize('name, channels, parameters', [
    ('vgg11_linear', 3, 9_231_114), ('shufflenet_v2', 3, 352_042), ('linear', 3, 30_730),
    ('one_hidden', 3, 1_578_506), ('one_hidden_conv', 3, 168_714), ('two_convs', 1, 1_199_882)])
def test_parameters(name, channels, parameters):
  assert counting.parameters(models.create_model(name, 10), channels) == parameters


class _Network(plain.Network):
  """With biases of convolutions, and depthwise ones."""

  def biased(self, name, x, stride=1, pad=(0, 0)):
    return self.conv(name, x, stride, pad) + self.params[f'{self.scope}/{name}']['b']

  def depthwise(self, name, x, stride):
    """Sums nine shifted images, each times a weight of every channel."""
    w = self.params[f'{self.scope}/{name}']['w']
    tiles = plain.windows(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 3, stride)
    return sum(tiles[k] * w[k // 3, k % 3, 0] for k in range(9))


def _network(scope, params, averages, training):
  return _Network(scope, params, averages, training=training, decay=0.9, eps=1e-5)


def _vgg11(params, averages, x, training):
  net = _network('vgg11_linear', params, averages, training)
  for i in range(8):
    x = plain.relu(net.norm(f'norm{i}', net.biased(f'conv{i}', x, 1, (1, 1))))
    if i not in (2, 4, 6):
      x = plain.windows(x, 2, 2).max(0)
  assert x.shape[1:3] == (1, 2)
  return net.linear('linear', x.reshape((len(x), -1))), net.moved


def test_vgg11():
  model = models.create_model('vgg11_linear', 5, width=4)
  images = np.random.default_rng(3).normal(size=(4, 33, 64, 1))
  against_plain.check(model, _vgg11, images, 5)
  with pytest.raises(errors.ConfigError, match='have 28x28 pixels; allowed: 32 or more'):
    jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 28, 28, 1)))


_FEW = (0, 1, 0)


@pytest.fixture
def few_blocks(monkeypatch):
  """All 13 blocks compile for half a minute."""
  monkeypatch.setattr(shufflenet_v2, '_BLOCKS', _FEW)


def _shufflenet(params, averages, x, training):
  net = _network('shufflenet_v2', params, averages, training)

  def branch(name, x, stride, first=True):
    if first:
      x = plain.relu(net.norm(f'{name}/norm0', net.conv(f'{name}/conv0', x)))
    x = net.norm(f'{name}/depthwise_norm', net.depthwise(f'{name}/depthwise', x, stride))
    return plain.relu(net.norm(f'{name}/norm1', net.conv(f'{name}/conv1', x)))

  def shuffled(a, b):
    return np.stack([half[..., i] for i in range(a.shape[-1]) for half in (a, b)], axis=-1)

  x = plain.relu(net.norm('stem_norm', net.conv('stem', x, 1, (1, 1))))
  for stage in range(3):
    name = f'stage{stage}'
    x = shuffled(branch(f'{name}_shortcut', x, 2, False), branch(f'{name}_block0', x, 2))
    for block in range(1, 1 + _FEW[stage]):
      half = x.shape[-1] // 2
      x = shuffled(x[..., :half], branch(f'{name}_block{block}', x[..., half:], 1))
  x = plain.relu(net.norm('last_norm', net.conv('last', x)))
  pixels = x.shape[1] * x.shape[2]
  return net.linear('linear', x.sum((1, 2)) / pixels), net.moved


def test_shufflenet_v2(few_blocks):
  model = models.create_model('shufflenet_v2', 5, width=4, last=6)
  images = np.random.default_rng(3).normal(size=(4, 18, 16, 3))
  against_plain.check(model, _shufflenet, images, 5)


def _shallow(name):
  def by_hand(params, averages, x, training):
    net = _network(name, params, averages, training)
    if name == 'one_hidden_conv':
      x = plain.relu(net.biased('hidden', x, 2, (2, 2)))
    if name == 'two_convs':
      x = plain.relu(net.biased('conv1', plain.relu(net.biased('conv0', x))))
      x = plain.windows(x, 2, 2).max(0)
    x = x.reshape((len(x), -1))
    if name in ('one_hidden', 'two_convs'):
      x = plain.relu(net.linear('hidden', x))
    return net.linear('linear', x), net.moved
  return by_hand


@pytest.mark.parametrize('name, keys', [
    ('linear', {}), ('one_hidden', {'hidden': 7}), ('one_hidden_conv', {'channels': 4}),
    ('two_convs', {'channels': 3, 'hidden': 6})])
def test_shallow_networks(name, keys):
  images = np.random.default_rng(3).normal(size=(4, 10, 9, 2))
  against_plain.check(models.create_model(name, 5, **keys), _shallow(name), images, 5)


def test_weights_and_biases_start_as_torch_starts_them(few_blocks):
  model = models.create_model('two_convs', 10)
  params, _ = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 28, 28, 1)))
  fans = {'conv0': 9, 'conv1': 9 * 32, 'hidden': 9216, 'linear': 128}
  for name, fan_in in fans.items():
    for w in params[f'two_convs/{name}'].values():
      against_plain.assert_uniform(w, fan_in)
  model = models.create_model('shufflenet_v2', 10)
  params, _ = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
  against_plain.assert_uniform(params['shufflenet_v2/stage1_block1/depthwise']['w'], 9)
  against_plain.assert_uniform(params['shufflenet_v2/last']['w'], 192)


@pytest.mark.parametrize('name', ['vgg11_linear', 'shufflenet_v2', 'two_convs'])
def test_features_enter_the_head_and_weights_stay_float32(name):
  model = models.create_model(name, 7)
  images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.bfloat16)
  params, state = jax.eval_shape(model.init, jax.random.key(0), images)
  assert all(w.dtype == jnp.float32 for w in jax.tree.leaves(params))
  outputs, _ = jax.eval_shape(
      lambda *args: model.apply(*args, model_lib.EVALUATION), params, state, None, images)
  assert outputs.logits.shape == (2, 7) and outputs.logits.dtype == jnp.float32
  assert outputs.features['features'].shape == (2, params[model.head]['w'].shape[0])


@pytest.mark.parametrize('name, keys, words', [
    ('vgg11_linear', {'width': 0}, 'model.width=0'),
    ('shufflenet_v2', {'width': 3}, 'an even number'),
    ('shufflenet_v2', {'last': 0}, 'model.last=0'), ('one_hidden', {'hidden': 0}, 'model.hidden=0'),
    ('one_hidden_conv', {'channels': 0}, 'model.channels=0'),
    ('two_convs', {'hidden': 0}, 'model.hidden=0'), ('linear', {'hidden': 3}, "no key 'hidden'")])
def test_bad_arguments_are_named(name, keys, words):
  with pytest.raises(errors.ConfigError, match=words):
    models.create_model(name, 10, **keys)
