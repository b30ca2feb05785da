"""Wide-ResNet with SkipInit: exact sizes, and which weights have a gradient (pitfall P35)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import model as model_lib
from tests.models import traced


def _shapes(model, size=32, channels=3):
  images = jax.ShapeDtypeStruct((1, size, size, channels), jnp.float32)
  return jax.eval_shape(model.init, jax.random.key(0), images)[0]


@pytest.mark.parametrize('num_classes, parameters', [(10, 2_747_536), (100, 2_770_666)])
def test_wrn_16_4_has_the_published_size(num_classes, parameters):
  shapes = jax.tree.leaves(_shapes(models.create_model('wide_resnet', num_classes)))
  assert sum(x.size for x in shapes) == parameters
  assert sum(x.shape == () for x in shapes) == 6


def test_without_biases_it_has_the_other_published_size():
  shapes = _shapes(models.create_model('wide_resnet', 100))
  assert sum(x.size for module in shapes.values() for name, x in module.items()
             if name != 'b') == 2_768_310


def test_at_first_the_branches_have_no_gradient_and_after_a_step_all_have():
  model = models.create_model('wide_resnet', 10, depth=16, width=1)
  images = jax.random.normal(jax.random.key(1), (4, 16, 16, 3))
  labels = jnp.arange(4)
  params, state = jax.jit(model.init)(jax.random.key(0), images)

  @jax.jit
  def gradient(params):
    def loss(params):
      logits = model.apply(params, state, None, images, model_lib.TRAINING)[0].logits
      return -jax.nn.log_softmax(logits)[jnp.arange(4), labels].mean()
    return jax.grad(loss)(params)

  zero = {f'{module}/{name}' for module, weights in gradient(params).items()
          for name, g in weights.items() if not np.any(g)}
  branches = {f'{module}/{name}' for module, weights in params.items() for name in weights
              if '/conv' in module}
  assert len(branches) == 2 * 12 and zero == branches
  params = jax.tree.map(lambda w, g: w - 0.1 * g, params, gradient(params))
  assert all(np.any(g) for g in jax.tree.leaves(gradient(params)))


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16'])
def test_forward_computes_in_the_dtype_of_the_images(dtype):
  model = models.create_model('wide_resnet_tiny', 7, dropout=0.5)
  images = jnp.ones((2, 12, 12, 1), dtype)
  params, state = jax.jit(model.init)(jax.random.key(0), images)
  assert all(w.dtype == jnp.float32 for w in jax.tree.leaves(params))
  evaluate = jax.jit(lambda p, x: model.apply(p, state, None, x, model_lib.EVALUATION)[0].logits)
  jaxpr = evaluate.trace(params, images).jaxpr
  convolutions = [e for e in traced.equations(jaxpr) if e.primitive.name == 'conv_general_dilated']
  assert len(convolutions) == 10
  assert all(v.aval.dtype == dtype for e in convolutions for v in (*e.invars, *e.outvars))
  logits = evaluate(params, images)
  assert logits.shape == (2, 7) and logits.dtype == jnp.float32


def test_dropout_acts_in_training_only():
  model = models.create_model('wide_resnet_tiny', 7, dropout=0.5)
  images = jax.random.normal(jax.random.key(1), (2, 12, 12, 1))
  params, state = jax.jit(model.init)(jax.random.key(0), images)
  jitted = jax.jit(model.apply, static_argnums=4)
  apply = lambda seed, mode: np.asarray(
      jitted(params, state, jax.random.key(seed), images, mode)[0].logits)
  assert (apply(0, model_lib.TRAINING) != apply(1, model_lib.TRAINING)).any()
  np.testing.assert_array_equal(apply(0, model_lib.EVALUATION), apply(1, model_lib.EVALUATION))


def test_dropout_masks_multiply_the_head_and_not_the_network_below_it():
  model = models.create_model('wide_resnet_tiny', 7, dropout=0.4, dropout_masks=16)
  images = jax.random.normal(jax.random.key(1), (2, 12, 12, 1))
  params, state = jax.jit(model.init)(jax.random.key(0), images)

  def logits(mode):
    return lambda p, x: model.apply(p, state, jax.random.key(1), x, mode)[0].logits

  jaxpr = jax.make_jaxpr(logits(model_lib.TRAINING))(params, images)
  convolutions = [e for e in traced.equations(jaxpr) if e.primitive.name == 'conv_general_dilated']
  assert [e.outvars[0].aval.shape[0] for e in convolutions] == [2] * 10
  training = jax.jit(logits(model_lib.TRAINING))(params, images)
  testing = jax.jit(logits(model_lib.EVALUATION))(params, images)
  assert training.shape == (16, 2, 7) and testing.shape == (2, 7)
  assert len(np.unique(training, axis=0)) > 1


def test_a_stem_stride_quarters_the_cost_and_keeps_the_weights():
  shapes = [_shapes(models.create_model('wide_resnet', 10, depth=10, width=1, stem_stride=stride))
            for stride in (1, 2)]
  assert shapes[0] == shapes[1]
  macs = [counting.forward_macs(
      models.create_model('wide_resnet', 10, depth=10, width=1, stem_stride=stride), 32)
          for stride in (1, 2)]
  assert macs[0] == pytest.approx(4 * macs[1], rel=1e-3)


@pytest.mark.parametrize('kwargs, words', [
    ({'depth': 17}, 'depth=17'), ({'width': 0}, 'width=0'), ({'dropout': 1.0}, 'dropout=1.0'),
    ({'dropout_masks': 2}, 'dropout_masks=2'), ({'widht': 4}, "did you mean 'width'"),
])
def test_bad_arguments_are_named(kwargs, words):
  with pytest.raises(errors.ConfigError, match=words):
    models.create_model('wide_resnet', 10, **kwargs)
