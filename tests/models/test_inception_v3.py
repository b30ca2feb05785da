"""Inception-v3 against the same written down plainly, and its published sizes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.costs import counting
from nfnets_am.models import model as model_lib
from tests.models import plain

_AUXILIARY = 'inception_v3/auxiliary/'


@pytest.mark.parametrize('auxiliary, parameters', [(True, 27_161_264), (False, 23_834_568)])
def test_it_has_the_published_size(auxiliary, parameters):
  model = models.create_model('inception_v3', 1000, auxiliary=auxiliary)
  assert counting.parameters(model) == parameters
  # 5.7 GFLOPs are published; the second head is no part of them.
  assert counting.forward_macs(model, 299) == 5_713_216_096


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
  join = lambda *xs: jnp.concatenate(xs, -1)

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

  def expected(params):
    logits, auxiliary, moved = _by_hand(params, averages, jnp.asarray(images), True)
    return (logits * cotangent).sum() + (auxiliary * other).sum(), (logits, auxiliary, moved)

  gradient, values = jax.jit(jax.grad(found, has_aux=True))(_float32(params))
  with jax.enable_x64(True):
    true_gradient, true_values = jax.jit(jax.grad(expected, has_aux=True))(params)
  plain.assert_same(values, true_values, 1e-3)
  plain.assert_same(gradient, true_gradient, 1e-2)
