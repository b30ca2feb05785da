"""The model key `norm`: every entry reads, trains in a model, and a wrong text is one sentence."""

import haiku as hk
import jax
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.models import model as model_lib
from nfnets_am.models import norms

_TEXTS = {'batch': 'batch()', 'batch_group': 'batch_group(groups=4)',
          'changing_group': 'changing_group(numbers=(4, 8))', 'even_group': 'even_group()',
          'ghost': 'ghost(size=2)', 'group': 'group(groups=4)',
          'noisy_group': 'noisy_group(groups=4)', 'none': 'none()',
          'random_group': 'random_group(groups=4)', 'renorm': 'renorm()',
          'switchable': 'switchable(numbers=(1, 4))'}
# Keeps nothing from one update to the next.
_WITHOUT_AVERAGES = ('none()', _TEXTS['switchable'])


def test_every_norm_is_here():
  assert set(_TEXTS) == set(norms.NORMS)


@pytest.mark.parametrize('text', _TEXTS.values())
def test_a_model_trains_with_every_norm(text):
  model = models.create_model('resnet_tiny', 5, norm=text)
  images = jax.random.normal(jax.random.key(1), (4, 8, 8, 1))
  params, state = jax.jit(model.init)(jax.random.key(0), images)
  assert all(x.dtype == np.float32 for x in jax.tree.leaves(params))
  named = [module for module in params if 'norm' in module]
  assert len(named) == (0 if text == 'none()' else 5)
  assert list(state.averages) == ([] if text in _WITHOUT_AVERAGES else named)
  for module in named:
    ones = 'norm1' not in module
    np.testing.assert_array_equal(params[module]['scale'], np.full(8, ones))
    np.testing.assert_array_equal(params[module]['offset'], np.zeros(8))

  @jax.jit
  def step(params, state):
    def loss(params):
      outputs, after = model.apply(
          params, state, jax.random.key(2), images, model_lib.TRAINING)
      return (outputs.logits ** 2).mean(), after
    return jax.grad(loss, has_aux=True)(params)

  gradient, after = step(params, state)
  assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradient))
  # What leads into a branch that starts at zero has no gradient yet.
  assert all(np.any(gradient[module]['scale']) == ('norm0' not in module) for module in named)
  for module, before in state.averages.items():
    assert all((after.averages[module][name] != old).any() for name, old in before.items())
  outputs, again = jax.jit(model.apply, static_argnums=4)(
      params, after, None, images, model_lib.EVALUATION)
  assert outputs.logits.shape == (4, 5) and np.isfinite(outputs.logits).all()
  jax.tree.map(np.testing.assert_array_equal, after, again)


def test_none_is_the_identity():
  identity = hk.transform_with_state(
      lambda x, mode: norms.parse('none()')('norm', scale_init=0.0)(x, mode))
  x = np.ones((2, 3))
  params, averages = identity.init(None, x, model_lib.TRAINING)
  assert not params and not averages
  assert identity.apply(params, averages, None, x, model_lib.TRAINING)[0] is x


@pytest.mark.parametrize('text, words', [
    ('batch', r"the norm 'batch' cannot be read: .*batch\(\)"),
    ('batch() | group()', '2 calls; allowed: one'), ('bach()', "did you mean 'batch'"),
    ('group(32)', 'need their names'), ('batch(momentum=0.1)', "no key 'momentum'")])
def test_a_wrong_text_is_one_sentence(text, words):
  with pytest.raises(errors.ConfigError, match=words):
    models.create_model('resnet_tiny', 5, norm=text)
