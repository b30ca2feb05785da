"""What every model is to the rest: heads, outputs, modes, averages and carries."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.models import layers
from nfnets_am.models import model as model_lib
from tests.models import traced as traced_lib


@pytest.mark.parametrize('name', models.MODELS)
def test_the_head_is_the_last_linear(name):
  model = models.create_model(name, 7)
  assert model.name == name
  inputs = jax.eval_shape(
      lambda: model.blank(1, (model.train_size, model.train_size, 3), jnp.float32))
  params, _ = jax.eval_shape(model.init, jax.random.key(0), inputs)
  # Words are the rows of the table that they are read from.
  words = 0 if isinstance(inputs, dict) else -1
  assert {key: w.shape[words] for key, w in params[model.head].items()} == {'w': 7, 'b': 7}


@pytest.mark.parametrize('name', [
    'alexnet', 'densenet_bc', 'inception_v3', 'mobilenet_v1', 'nf_resnet50', 'nfnet_f0',
    'preact_resnet_18', 'resnet_cifar', 'resnet_tiny', 'vgg16', 'wide_resnet'])
def test_outputs_are_logits_and_features(name):
  model = models.create_model(name, 7)
  images = jax.ShapeDtypeStruct((1, model.test_size, model.test_size, 3), jnp.float32)
  params, state = jax.eval_shape(model.init, jax.random.key(0), images)
  outputs, after = jax.eval_shape(
      lambda *args: model.apply(*args, model_lib.EVALUATION), params, state, None, images)
  assert outputs.logits.shape == (1, 7) and outputs.logits.dtype == jnp.float32
  assert outputs.features['features'].shape == (1, params[model.head]['w'].shape[0])
  assert outputs.auxiliary == {} and after == state and state.carry == {}


@pytest.mark.parametrize('name, keys', [
    ('alexnet', {'width': 4, 'hidden': 8}), ('amoebanet', {'cells': 4, 'channels': 4}),
    ('darts', {'cells': 4, 'channels': 4}), ('densenet_bc', {'depth': 10}), ('mobilenet_v1', {}),
    ('resnet_cifar', {'depth': 8}), ('vgg11', {})])
def test_convolutions_and_products_compute_in_the_dtype_of_the_images(name, keys):
  model = models.create_model(name, 7, **keys)
  images = jax.ShapeDtypeStruct((2, 64, 64, 3), jnp.bfloat16)
  params, state = jax.eval_shape(model.init, jax.random.key(0), images)
  assert all(w.dtype == jnp.float32 for w in jax.tree.leaves((params, state)))

  def outputs(params, state, x):
    return model.apply(params, state, jax.random.key(1), x, model_lib.Mode(True, 0.5))[0]

  traced = jax.make_jaxpr(outputs)(params, state, images)
  found = [eqn.outvars[0].aval for eqn in traced_lib.equations(traced.jaxpr)
           if eqn.primitive.name in ('conv_general_dilated', 'dot_general')]
  # Moving statistics are products, too, of vectors [C].
  assert {out.dtype.name for out in found if out.ndim > 1} == {'bfloat16'}
  assert jax.eval_shape(outputs, params, state, images).logits.dtype == jnp.float32


@pytest.mark.parametrize('name', ['wide_resnet_tiny', 'nf_resnet_tiny', 'nfnet_tiny'])
def test_the_head_maps_features_to_logits(name):
  model = models.create_model(name, 7)
  images = jax.random.normal(jax.random.key(1), (2, 28, 28, 1))
  params, state = jax.jit(model.init)(jax.random.key(0), images)
  outputs, _ = jax.jit(model.apply, static_argnums=4)(
      params, state, None, images, model_lib.EVALUATION)
  head = params[model.head]
  np.testing.assert_allclose(
      outputs.logits, outputs.features['features'] @ head['w'] + head['b'], rtol=1e-4, atol=1e-5)


def test_features_come_before_dropout():
  model = models.create_model('wide_resnet_tiny', 7, dropout=0.5, dropout_masks=3)
  images = jax.random.normal(jax.random.key(1), (2, 12, 12, 1))
  params, state = jax.jit(model.init)(jax.random.key(0), images)
  apply = jax.jit(model.apply, static_argnums=4)
  training, testing = (apply(params, state, jax.random.key(2), images, mode)[0]
                       for mode in (model_lib.TRAINING, model_lib.EVALUATION))
  assert training.logits.shape == (3, 2, 7) and testing.logits.shape == (2, 7)
  np.testing.assert_array_equal(training.features['features'], testing.features['features'])


class _Counter(hk.Module):
  """Adds inputs up over calls, and remembers how often it trained."""

  def __call__(self, x, mode, carry):
    calls = hk.get_state('calls', (), jnp.int32, jnp.zeros)
    hk.set_state('calls', calls + mode.is_training)
    total = carry['total'] + x
    return layers.Linear(3, name='linear')(total), {'total': total}


def test_a_carry_goes_with_its_rows():
  model = model_lib.from_module(
      lambda: _Counter(name='counter'), carry=lambda rows: {'total': jnp.zeros((rows, 2))},
      name='counter', num_classes=3, train_size=1, test_size=1, head='counter/linear')
  rows = np.float32([[1, 2], [3, 4], [5, 6]])
  params, state = model.init(jax.random.key(0), rows)
  assert model.head in params and state.averages['counter']['calls'] == 0
  jax.tree.map(np.testing.assert_array_equal, state.carry, model.init_carry(3))
  apply = jax.jit(lambda state, x: model.apply(params, state, None, x, model_lib.TRAINING))
  for k in (1, 2, 3):
    outputs, state = apply(state, rows)
    np.testing.assert_array_equal(state.carry['total'], k * rows)
    head = params[model.head]
    np.testing.assert_allclose(outputs.logits, k * rows @ head['w'] + head['b'], rtol=1e-5)
  assert state.averages['counter']['calls'] == 3
  assert state.averages['counter']['calls'].dtype == jnp.int32
  # Another number of rows begins with a carry of its own.
  fewer = state._replace(carry=model.init_carry(2))
  _, after = model.apply(params, fewer, None, rows[:2], model_lib.EVALUATION)
  np.testing.assert_array_equal(after.carry['total'], rows[:2])


def test_a_module_of_logits_alone_has_no_more_to_say():
  model = model_lib.from_module(
      lambda: lambda x, mode: layers.Linear(3, name='linear')(x) * (2 if mode.is_training else 1),
      name='plain', num_classes=3, train_size=1, test_size=1, head='linear')
  x = np.ones((2, 4), np.float32)
  params, state = model.init(jax.random.key(0), x)
  assert state == model_lib.State({}, {}) and model.init_carry(2) == {}
  training, testing = (model.apply(params, state, None, x, mode)[0]
                       for mode in (model_lib.TRAINING, model_lib.EVALUATION))
  assert training.auxiliary == training.features == {}
  np.testing.assert_allclose(training.logits, 2 * testing.logits, rtol=1e-6)
