"""Weights files of every registered model and its arguments: all that is written comes back."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.models import model as model_lib
from nfnets_am.models import norms
from nfnets_am.models import pretrained

# What else than its size changes what a model holds.
_ARGUMENTS = [
    ('inception_v3', {'auxiliary': False}),
    ('skipinit_resnet50', {'dropout': 0.0}),
    ('wide_resnet', {'depth': 28, 'width': 2, 'stem_stride': 2, 'dropout': 0.1}),
]
# Deeper variants of these differ in nothing but how often a block comes.
_SHALLOW = [name for name in models.MODELS if not name.startswith('nfnet_f') or
            name in ('nfnet_f0', 'nfnet_f1', 'nfnet_f0plus')]


def _norms():
  for norm in norms.NORMS:
    needed = [key for key, value in norms.NORMS.keys_of(norm).items() if value is registry.REQUIRED]
    # The row of init is a group of 1.
    yield 'resnet_tiny', {'norm': f'{norm}({", ".join(f"{key}=1" for key in needed)})'}


@functools.cache
def _shapes(name, classes, **kwargs):
  model = models.create_model(name, classes, **kwargs)
  images = lambda: model.blank(1, (model.train_size, model.train_size, 3), jnp.float32)
  params, state = jax.eval_shape(
      lambda: model.init(jax.random.key(0), images(), model_lib.TRAINING))
  return model, params, state


def _weights(name, classes=7, **kwargs):
  """Returns a model and weights like its own, of shapes in which no axis is over 3."""
  model, params, state = _shapes(name, classes, **kwargs)
  draw = np.random.default_rng(0)
  small = lambda x: np.asarray(draw.integers(1, 99, [min(d, 3) for d in x.shape]), x.dtype)
  return model, jax.tree.map(small, params), jax.tree.map(small, state.averages)


def _assert_same(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    assert x.dtype == y.dtype
    np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize('name, kwargs', [
    *((name, {}) for name in _SHALLOW), *_ARGUMENTS, *_norms()])
def test_what_a_model_holds_comes_back_and_nothing_else_fits(tmp_path, name, kwargs):
  model, params, averages = _weights(name, **kwargs)
  pretrained.export(params, averages, tmp_path / 'weights.npz')
  found = pretrained.load(tmp_path / 'weights.npz')
  _assert_same((params, averages), found)
  pretrained.check(*found, params, averages)
  taken = pretrained.adapt(*found, params, averages, heads=model.heads)
  assert all(x is y for x, y in zip(jax.tree.leaves(taken), jax.tree.leaves(found), strict=True))
  assert set(model.heads) <= params.keys()

  # Whatever is left out or has another shape is named, of parameters and of averages.
  for kind in (0, 1):
    for module in list(found[kind])[::40]:
      key = sorted(found[kind][module])[0]
      for what, held in (('missing', {}), ('of another shape', {key: np.ones((2, 9, 9, 9, 9))})):
        left = {k: w for k, w in found[kind][module].items() if k != key}
        spoilt = [dict(part) for part in found]
        spoilt[kind] = {**found[kind], module: {**left, **held}}
        with pytest.raises(errors.UserError) as e:
          pretrained.adapt(*spoilt, params, averages, heads=model.heads, source='mine.npz')
        assert f'1 {what} ({"averages:" * kind}{module}/{key}' in str(e.value)


@pytest.mark.parametrize('name, kwargs', [*((name, {}) for name in _SHALLOW), *_ARGUMENTS])
def test_heads_are_all_that_depends_on_the_number_of_classes(name, kwargs):
  model, a, of_a = _shapes(name, 7, **kwargs)
  _, b, of_b = _shapes(name, 11, **kwargs)
  assert {module for module in a if jax.tree.leaves(a[module]) != jax.tree.leaves(b[module])} == (
      set(model.heads))
  assert of_a == of_b


@pytest.mark.parametrize('name, kwargs, count', [
    ('inception_v3', {}, 2), ('inception_v3', {'auxiliary': False}, 1), ('resnet_tiny', {}, 1)])
def test_every_head_is_new_for_other_classes(name, kwargs, count):
  # Of 2 and of 3 classes, since no axis is over 3 here.
  model, params, averages = _weights(name, 3, **kwargs)
  _, fresh, fresh_averages = _weights(name, 2, **kwargs)
  found, kept = pretrained.adapt(params, averages, fresh, fresh_averages, heads=model.heads)
  new = [module for module in fresh if found[module] is fresh[module]]
  assert sorted(new) == sorted(model.heads) and len(new) == count
  assert kept is averages
  _assert_same({k: w for k, w in params.items() if k not in new},
               {k: w for k, w in found.items() if k not in new})
  only = dataclasses.replace(model, auxiliary_heads=())
  if count > 1:
    with pytest.raises(errors.UserError, match='2 of another shape .*auxiliary/linear/b'):
      pretrained.adapt(params, averages, fresh, fresh_averages, heads=only.heads)


@pytest.mark.parametrize('text, parsed', [
    ('nfnet_f0', ('nfnet_f0', {})),
    ('wide_resnet(depth=28, width=10)', ('wide_resnet', {'depth': 28, 'width': 10})),
    ("resnet_tiny(norm='ghost(size=4)')", ('resnet_tiny', {'norm': 'ghost(size=4)'})),
    ('resnet_tiny()', ('resnet_tiny', {}))])
def test_a_command_line_names_a_model_with_its_arguments(text, parsed):
  assert models.parse(text) == parsed


@pytest.mark.parametrize('text, words', [
    ('wide_resnt', "unknown model 'wide_resnt' (did you mean 'wide_resnet'?)"),
    ('wide_resnt(depth=28)', "did you mean 'wide_resnet'?"),
    ('wide_resnet(deep=28)', "model 'wide_resnet' has no key 'deep'"),
    ('wide_resnet(depth=', 'the model'),
    ('wide_resnet() | resnet_tiny()', 'is 2 calls; allowed: one'),
    ('wide_resnet(depth=f())', 'not all literal values')])
def test_a_model_that_cannot_be_is_one_sentence(text, words):
  with pytest.raises(errors.ConfigError) as e:
    models.parse(text)
  assert words in str(e.value)
