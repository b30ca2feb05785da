"""Inception-v3 against the same written down plainly, and its published sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import model as model_lib
from tests.models import laws
from tests.models import plain

_AUXILIARY = 'inception_v3/auxiliary/'


@pytest.mark.parametrize('auxiliary, parameters', [(True, 27_161_264), (False, 23_834_568)])
def test_it_has_the_published_size(auxiliary, parameters):
  model = models.create_model('inception_v3', 1000, auxiliary=auxiliary)
  assert counting.parameters(model) == parameters
  # 5.7 GFLOPs are published; the second head is no part of them.
  assert counting.forward_macs(model, 299) == 5_713_216_096


def test_blocks_see_as_many_channels_as_published():
  params, state = _shapes(models.create_model('inception_v3', 7), 299)
  found = {name.split('/')[1]: weights['w'].shape[2] for name, weights in params.items()
           if name.endswith('branch0_0/conv')}
  assert found == {
      'mixed_5b': 192, 'mixed_5c': 256, 'mixed_5d': 288, 'mixed_6a': 288, 'mixed_6b': 768,
      'mixed_6c': 768, 'mixed_6d': 768, 'mixed_6e': 768, 'mixed_7a': 768, 'mixed_7b': 1280,
      'mixed_7c': 2048}
  assert sum(name.endswith('/conv') for name in params) == len(state.averages) == 96
  assert params[_AUXILIARY + 'unit1/conv']['w'].shape == (5, 5, 128, 768)


def _shapes(model, size, dtype=jnp.float32):
  images = jax.ShapeDtypeStruct((2, size, size, 3), dtype)
  return jax.eval_shape(model.init, jax.random.key(0), images)


def _by_hand(params, averages, x, training):
  """Returns the logits, the auxiliary logits and what the norms move."""
  net = plain.Network('inception_v3', params, averages, training=training, decay=0.9, eps=1e-3)

  def unit(name, x, stride=1, pad=(0, 0)):
    return plain.relu(net.norm(f'{name}/norm', net.conv(f'{name}/conv', x, stride, pad)))

  def chain(name, x, *pads):
    """1x1, and then stride-1 convolutions with these paddings; the numbers of a branch go on."""
    x = unit(f'{name}_0', x)
    for number, pad in enumerate(pads, 1):
      x = unit(f'{name}_{number}', x, 1, pad)
    return x

  def fork(name, x):
    return [unit(f'{name}_0', x, 1, (0, 1)), unit(f'{name}_1', x, 1, (1, 0))]

  pool = lambda x: plain.windows(x, 3, 2).max(0)
  join = lambda *xs: np.concatenate(xs, -1)

  x = unit('stem0', x, 2)
  x = unit('stem1', x)
  x = pool(unit('stem2', x, 1, (1, 1)))
  x = unit('stem4', x)
  x = pool(unit('stem5', x))
  for block in ('mixed_5b', 'mixed_5c', 'mixed_5d'):
    x = join(chain(f'{block}/branch0', x), chain(f'{block}/branch1', x, (2, 2)),
             chain(f'{block}/branch2', x, (1, 1), (1, 1)),
             unit(f'{block}/branch3_1', plain.neighbours(x)))
  x = join(unit('mixed_6a/branch0_0', x, 2),
           unit('mixed_6a/branch1_2', chain('mixed_6a/branch1', x, (1, 1)), 2), pool(x))
  across, down = (0, 3), (3, 0)
  for block in ('mixed_6b', 'mixed_6c', 'mixed_6d', 'mixed_6e'):
    x = join(chain(f'{block}/branch0', x), chain(f'{block}/branch1', x, across, down),
             chain(f'{block}/branch2', x, down, across, down, across),
             unit(f'{block}/branch3_1', plain.neighbours(x)))
  auxiliary = None
  if training:
    side = min(5, x.shape[1])
    y = unit('auxiliary/unit0', plain.windows(x, side, 3).sum(0) / side ** 2)
    y = unit('auxiliary/unit1', y)
    auxiliary = net.linear('auxiliary/linear', y.mean((1, 2)))
  x = join(unit('mixed_7a/branch0_1', chain('mixed_7a/branch0', x), 2),
           unit('mixed_7a/branch1_3', chain('mixed_7a/branch1', x, across, down), 2), pool(x))
  for block in ('mixed_7b', 'mixed_7c'):
    x = join(chain(f'{block}/branch0', x),
             *fork(f'{block}/branch1_1', chain(f'{block}/branch1', x)),
             *fork(f'{block}/branch2_2', chain(f'{block}/branch2', x, (1, 1))),
             unit(f'{block}/branch3_1', plain.neighbours(x)))
  return net.linear('linear', x.sum((1, 2)) / (x.shape[1] * x.shape[2])), auxiliary, net.moved


@pytest.fixture(scope='module')
def narrow():
  """Few channels, whose weights and statistics are not those of the start."""
  model = models.create_model('inception_v3', 3, width=0.01, dropout=0.0,
                              norm='batch(decay=0.9, eps=0.001)')
  images = np.random.default_rng(3).normal(size=(3, 107, 107, 3))
  shapes = jax.eval_shape(model.init, jax.random.key(0), images)
  rng = np.random.default_rng(0)
  params = {module: {name: _draw(rng, name, w.shape) for name, w in weights.items()}
            for module, weights in shapes[0].items()}
  averages = {module: {name: _draw(rng, name, w.shape) for name, w in moving.items()}
              for module, moving in shapes[1].averages.items()}
  return model, params, averages, images


def _draw(rng, name, shape):
  if name == 'w':
    return rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
  return (name in ('scale', 'variance')) + rng.uniform(-0.2, 0.2, shape)


def _float32(tree):
  return jax.tree.map(jnp.float32, tree)


def test_training_logits_gradients_and_moved_statistics(narrow):
  model, params, averages, images = narrow
  cotangent, other = np.random.default_rng(4).normal(size=(2, 3, 3))

  def found(params):
    outputs, state = model.apply(params, model_lib.State(_float32(averages), {}), None,
                                 jnp.float32(images), model_lib.TRAINING)
    (auxiliary,) = outputs.auxiliary.values()
    loss = (outputs.logits * jnp.float32(cotangent)).sum() + (auxiliary * jnp.float32(other)).sum()
    return loss, (outputs.logits, auxiliary, state.averages)

  def loss(params):
    logits, auxiliary, _ = _by_hand(params, averages, images, True)
    return (logits * cotangent).sum() + (auxiliary * other).sum()

  gradient, values = jax.jit(jax.grad(found, has_aux=True))(_float32(params))
  plain.assert_same(values, _by_hand(params, averages, images, True), 1e-3)
  plain.assert_slopes(gradient, params, loss)


def test_inference_takes_the_moving_statistics_and_has_no_second_head(narrow):
  model, params, averages, images = narrow
  # As small as it may be: one pixel is left in the end.
  images = images[:2, :75, :75]
  outputs, after = jax.jit(lambda params, state, images: model.apply(
      params, state, None, images, model_lib.EVALUATION))(
          _float32(params), model_lib.State(_float32(averages), {}), jnp.float32(images))
  plain.assert_same(
      np.asarray(outputs.logits), _by_hand(params, averages, images, False)[0], 1e-4)
  plain.assert_same(after.averages, _float32(averages), 0)
  assert outputs.auxiliary == {}


@pytest.mark.parametrize('auxiliary', [True, False])
def test_the_second_head_is_there_in_training_and_takes_small_maps(auxiliary):
  model = models.create_model('inception_v3', 7, width=0.1, auxiliary=auxiliary)
  params, state = _shapes(model, 75, jnp.bfloat16)
  assert any(_AUXILIARY in name for name in params) == auxiliary
  assert all(w.dtype == jnp.float32 for w in jax.tree.leaves((params, state)))
  images = jax.ShapeDtypeStruct((2, 75, 75, 3), jnp.bfloat16)
  outputs, _ = jax.eval_shape(lambda *args: model.apply(*args, model_lib.TRAINING),
                              params, state, jax.random.key(1), images)
  heads = {name: (logits.shape, logits.dtype) for name, logits in outputs.auxiliary.items()}
  assert heads == ({'mixed_6e': ((2, 7), jnp.float32)} if auxiliary else {})
  assert outputs.logits.shape == (2, 7)
  assert outputs.features['features'].shape == (2, 32 + 4 * 38 + 19)


def test_weights_start_as_those_of_tf_slim():
  params = laws.start(models.create_model('inception_v3', 1000, width=0.25), 299)
  # Normals cut at two deviations, of which 0.8796 is left; only He's are widened to make up for it.
  special = {_AUXILIARY + 'unit1/conv': 0.01 * 0.8796, _AUXILIARY + 'linear': 0.001 * 0.8796}
  for name, weights in params.items():
    if 'w' in weights and weights['w'].size > 5000:
      w = np.float64(weights['w'])
      deviation = special.pop(name, np.sqrt(2 / np.prod(w.shape[:-1])))
      assert w.std() == pytest.approx(deviation, rel=0.06), name
      assert np.abs(w).max() <= 1.001 * 2 / 0.8796 * deviation, name
    assert not any(weights[bias].any() for bias in ('b', 'offset') if bias in weights)
  assert not special


def test_bad_arguments_and_small_images_are_named():
  for kwargs in ({'dropout': 1.0}, {'width': 0.0}, {'width': float('nan')}):
    ((key, value),) = kwargs.items()
    with pytest.raises(errors.ConfigError, match=f'model.{key}={value}'):
      models.create_model('inception_v3', 10, **kwargs)
  with pytest.raises(errors.ConfigError, match='images of 74x74 .* from 75x75'):
    _shapes(models.create_model('inception_v3', 10, width=0.1), 74)
