"""The pre-activation ResNet-18 of Summers 2021 against the same written down plainly (P98)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import model as model_lib
from tests.models import by_numpy
from tests.models import plain


def test_it_has_the_published_size_and_shortcuts_where_the_shape_changes():
  model = models.create_model('preact_resnet_18', 10)
  assert counting.parameters(model) == 11_171_146
  images = jax.ShapeDtypeStruct((1, 32, 32, 3), jnp.float32)
  params, state = jax.eval_shape(model.init, jax.random.key(0), images)
  assert [name for name in params if name.endswith('shortcut')] == [
      f'preact_resnet/stage{stage}_block0/shortcut' for stage in (1, 2, 3)]
  assert {name.rpartition('/')[2] for name in state.averages} == {'norm0', 'norm1'}
  assert len(state.averages) == 16


def _by_hand(params, averages, x, training):
  net = plain.Network('preact_resnet', params, averages, training=training, decay=0.99, eps=1e-5)
  x = net.conv('stem', x, 1, (1, 1))
  for stage in range(4):
    for block in range(2):
      name = f'stage{stage}_block{block}'
      stride = 2 if (stage > 0 and block == 0) else 1
      activated = plain.relu(net.norm(f'{name}/norm0', x))
      if stride == 2:
        x = net.conv(f'{name}/shortcut', activated, 2)
      inside = net.conv(f'{name}/conv0', activated, stride, (1, 1))
      inside = plain.relu(net.norm(f'{name}/norm1', inside))
      x = x + net.conv(f'{name}/conv1', inside, 1, (1, 1))
  pixels = x.shape[1] * x.shape[2]
  return net.linear('linear', x.sum((1, 2)) / pixels), net.moved


@pytest.fixture(scope='module')
def tiny():
  """A narrow model, weights and images; 14x18 pixels are odd and even on the way down."""
  model = models.create_model('preact_resnet_18', 5, width=4)
  images = np.random.default_rng(3).normal(size=(3, 14, 18, 3))
  return model, *by_numpy.draw(model, images), images


def _float32(tree):
  return jax.tree.map(jnp.float32, tree)


def test_training_logits_gradients_and_moved_statistics(tiny):
  model, params, averages, images = tiny
  cotangent = np.random.default_rng(4).normal(size=(3, 5))

  def found(params):
    outputs, state = model.apply(params, model_lib.State(_float32(averages), {}), None,
                                 jnp.float32(images), model_lib.TRAINING)
    return (outputs.logits * jnp.float32(cotangent)).sum(), (outputs.logits, state.averages)

  gradient, values = jax.jit(jax.grad(found, has_aux=True))(_float32(params))
  plain.assert_same(values, _by_hand(params, averages, images, True), 1e-4)
  plain.assert_slopes(gradient, params, lambda params: (
      _by_hand(params, averages, images, True)[0] * cotangent).sum())


def test_inference_takes_the_moving_statistics(tiny):
  model, params, averages, images = tiny
  outputs, after = jax.jit(lambda params, state, images: model.apply(
      params, state, None, images, model_lib.EVALUATION))(
          _float32(params), model_lib.State(_float32(averages), {}), jnp.float32(images))
  logits, _ = _by_hand(params, averages, images, False)
  np.testing.assert_allclose(outputs.logits, logits, rtol=1e-4, atol=1e-4)
  plain.assert_same(after.averages, _float32(averages), 0)
  assert outputs.auxiliary == {}


def test_weights_start_with_variance_one_over_fan_in_and_the_head_as_glorot():
  model = models.create_model('preact_resnet_18', 10)
  params, _ = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, 8, 8, 3)))
  for name, weights in params.items():
    w = np.float64(weights.get('w', np.zeros(())))
    if w.ndim == 4 and w.size > 5e4:
      deviation = np.sqrt(1 / np.prod(w.shape[:3]))
      assert w.std() == pytest.approx(deviation, rel=0.02), name
      # A normal cut at two of its own deviations, widened so that what is left has the variance.
      assert 0.98 * 2 / 0.8796 < np.abs(w).max() / deviation < 1.001 * 2 / 0.8796, name
  assert params['preact_resnet/stage0_block0/conv0']['w'].std() == pytest.approx(0.0417, abs=6e-4)
  head = params['preact_resnet/linear']
  limit = np.sqrt(6 / (512 + 10))
  assert 0.99 * limit < np.abs(head['w']).max() <= limit * (1 + 1e-6)
  assert head['w'].std() == pytest.approx(limit / np.sqrt(3), rel=0.05) and not head['b'].any()


def test_another_norm_and_bad_arguments():
  model = models.create_model('preact_resnet_18', 10, norm='none()')
  images = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.bfloat16)
  params, state = jax.eval_shape(model.init, jax.random.key(0), images)
  assert not state.averages and {name for w in params.values() for name in w} == {'w', 'b'}
  assert all(w.dtype == jnp.float32 for w in jax.tree.leaves(params))
  with pytest.raises(errors.ConfigError, match='model.width=0'):
    models.create_model('preact_resnet_18', 10, width=0)
  with pytest.raises(errors.ConfigError, match='btach'):
    models.create_model('preact_resnet_18', 10, norm='btach()')
