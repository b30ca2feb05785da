"""The residual networks of Madry et al. 2018 against the same written down plainly."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import madry_resnet
from nfnets_am.models import model as model_lib
from tests.models import by_numpy
from tests.models import plain


@pytest.mark.parametrize('name, keys, parameters', [
    ('madry_resnet_18', {}, 181_850),
    ('madry_resnet', {'depth': 8}, 75_290),
    ('madry_resnet', {'depth': 14}, 172_506),
    ('madry_resnet', {}, 464_154),
    # The published wide network.
    ('madry_resnet', {'width': 10}, 45_901_914)])
def test_sizes(name, keys, parameters):
  model = models.create_model(name, 10, **keys)
  assert counting.parameters(model) == parameters
  images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
  params, _ = jax.eval_shape(model.init, jax.random.key(0), images)
  layers = [w['w'].ndim for w in params.values() if 'w' in w]
  assert len(layers) == {**{'depth': 18 if name.endswith('18') else 32}, **keys}['depth']
  assert {name for w in params.values() for name in w} == {'w', 'b', 'scale', 'offset'}


def test_the_tiny_one_has_six_layers_of_the_same_kind():
  model = models.create_model('madry_resnet_tiny', 10)
  images = jax.ShapeDtypeStruct((1, 28, 28, 1), jnp.float32)
  params, _ = jax.eval_shape(model.init, jax.random.key(0), images)
  assert sorted(w['w'].shape for w in params.values() if 'w' in w) == [
      (3, 3, 1, 8), *[(3, 3, 8, 8)] * 2, (3, 3, 8, 16), (3, 3, 16, 16), (16, 10)]
  assert sum(w.size for w in jax.tree.leaves(params)) == 4_962


def _by_hand(params, averages, x, training, stages, units):
  """In float64; a strided convolution has its odd row of zeros behind the image."""
  net = plain.Network('madry_resnet', params, averages, training=training, decay=0.9, eps=1e-3)
  leaky = lambda x: np.where(x < 0, 0.1 * x, x)
  pixels = x.reshape(len(x), -1)
  mean = pixels.mean(1)[:, None, None, None]
  deviation = np.maximum(pixels.std(1), 1 / pixels.shape[1] ** 0.5)[:, None, None, None]
  x = net.conv('stem', (x - mean) / deviation, 1, (1, 1))
  for stage, (channels, stride) in enumerate(stages):
    for unit in range(units):
      name, s = f'stage{stage}_unit{unit}', 1 if unit else stride
      inside = leaky(net.norm(f'{name}/norm0', x))
      shortcut = inside if stage == unit == 0 else x
      if s == 2:
        shortcut = plain.windows(shortcut, 2, 2).mean(0)
        inside = net.conv(f'{name}/conv0', np.pad(inside, ((0, 0), (0, 1), (0, 1), (0, 0))), 2)
      else:
        inside = net.conv(f'{name}/conv0', inside, 1, (1, 1))
      inside = net.conv(f'{name}/conv1', leaky(net.norm(f'{name}/norm1', inside)), 1, (1, 1))
      side = (channels - shortcut.shape[-1]) // 2
      zeros = np.zeros((*shortcut.shape[:3], side))
      x = inside + np.concatenate([zeros, shortcut, zeros], -1)
  x = leaky(net.norm('norm', x))
  return net.linear('linear', x.sum((1, 2)) / (x.shape[1] * x.shape[2])), net.moved


@pytest.fixture(scope='module', params=['madry_resnet', 'madry_resnet_18'])
def small(request):
  """(model, weights, images, stages, units): the least of the family, and that of 18 layers."""
  eight = request.param == 'madry_resnet'
  model = models.create_model(request.param, 5, **({'depth': 8, 'width': 2} if eight else {}))
  stages = ((32, 1), (64, 2), (128, 2)) if eight else ((16, 1), (16, 1), (32, 2), (64, 2))
  images = np.random.default_rng(3).uniform(size=(3, 8, 12, 3))
  return model, *by_numpy.draw(model, images), images, (stages, 1 if eight else 2)


@pytest.mark.parametrize('training', [True, False])
def test_logits_gradients_and_statistics(small, training):
  model, params, averages, images, shape = small
  cotangent = np.random.default_rng(4).normal(size=(3, 5))

  def found(params, images):
    outputs, state = model.apply(params, model_lib.State(averages, {}), None, images,
                                 model_lib.Mode(training))
    return (outputs.logits * cotangent).sum(), (outputs.logits, state.averages)

  # By the pixels too, which attacks follow. In float32 some of these few values are on another side
  # of a ReLU's edge.
  with jax.enable_x64(True):
    gradient, values = jax.device_get(
        jax.jit(jax.grad(found, (0, 1), has_aux=True))(params, images))
  logits, moved = _by_hand(params, averages, images, training, *shape)
  plain.assert_same(values, (logits, moved if training else averages), 1e-4)
  plain.assert_slopes(gradient, (params, images), lambda weights: (
      _by_hand(weights[0], averages, weights[1], training, *shape)[0] * cotangent).sum())


def test_images_are_standardised_one_by_one_and_flat_ones_have_a_gradient():
  images = np.random.default_rng(0).uniform(size=(3, 4, 4, 3))
  images[1] = 0.3
  images[2] = 0.3 + 0.01 * (images[2] > 0.5)
  found = np.asarray(madry_resnet.standardise(jnp.float32(images)), np.float64)
  for row, image in zip(found, images, strict=True):
    expected = (image - image.mean()) / max(image.std(), 1 / 48 ** 0.5)
    np.testing.assert_allclose(row, expected, atol=1e-5)
  gradient = jax.grad(lambda x: jnp.square(madry_resnet.standardise(x)[..., 0]).sum())
  assert np.isfinite(gradient(jnp.float32(images))).all()
  assert madry_resnet.standardise(jnp.bfloat16(images)).dtype == jnp.bfloat16


def test_weights_start_as_published():
  params, _ = jax.jit(models.create_model('madry_resnet', 10, depth=8, width=4).init)(
      jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
  for name, weights in params.items():
    if weights.get('w', np.zeros(0)).ndim == 4 and weights['w'].size > 3e4:
      w = np.float64(weights['w'])
      assert w.std() == pytest.approx((2 / (9 * w.shape[-1])) ** 0.5, rel=0.02), name
      assert np.abs(w).max() > 3 * w.std(), name  # Not cut off.
  head = params['madry_resnet/linear']
  limit = (3 / 256) ** 0.5
  assert 0.99 * limit < np.abs(head['w']).max() <= limit and not head['b'].any()


def test_bad_arguments_are_refused():
  for keys, sentence in (({'depth': 18}, 'model.depth=18; allowed: 8, 14, 20'),
                         ({'depth': 2}, 'model.depth=2'), ({'width': 0}, 'model.width=0'),
                         ({'norm': 'btach()'}, 'btach')):
    with pytest.raises(errors.ConfigError, match=sentence):
      models.create_model('madry_resnet', 10, **keys)
  model = models.create_model('madry_resnet_18', 10)
  with pytest.raises(errors.ConfigError, match='7x7 pixels at a stride of 2'):
    jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 14, 14, 1)))
