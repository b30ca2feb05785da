"""Weights files of models that keep averages: both kinds are there, or nothing is taken."""

import pickle

import jax
import numpy as np
import pytest

from nfnets_am import models
from nfnets_am.core import errors
from nfnets_am.models import pretrained


def _weights(norm='renorm()', classes=5):
  model = models.create_model('resnet_tiny', classes, norm=norm)
  params, state = jax.eval_shape(
      model.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 8, 8, 1), np.float32))
  draw = np.random.default_rng(0)
  fill = lambda x: np.asarray(draw.integers(1, 9, x.shape), x.dtype)
  return jax.tree.map(fill, params), jax.tree.map(fill, state.averages), model.head


def _assert_same(a, b):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    assert x.dtype == y.dtype
    np.testing.assert_array_equal(x, y)


def test_what_is_exported_is_read(tmp_path):
  params, averages, _ = _weights()
  assert {x.dtype for x in jax.tree.leaves(averages)} == {np.dtype('f4'), np.dtype('i4')}
  path = tmp_path / 'weights.npz'
  pretrained.export(params, averages, path)
  _assert_same((params, averages), pretrained.load(path))
  plain = pickle.loads(path.read_bytes())
  assert set(plain) == {*params, *(f'averages:{module}' for module in averages)}
  assert b'core' not in path.read_bytes()


def test_without_averages_the_layout_is_the_released_one(tmp_path):
  params, _, _ = _weights('none()')
  path = tmp_path / 'weights.npz'
  pretrained.export(params, {}, path)
  _assert_same(params, pickle.loads(path.read_bytes()))
  assert pretrained.load(path)[1] == {}


def test_integers_are_counts_of_averages_alone(tmp_path):
  path = tmp_path / 'weights'
  for module, dtype in (('m', np.int32), ('averages:m', np.int64), ('averages:m', np.uint32)):
    path.write_bytes(pickle.dumps({module: {'n': np.zeros((), dtype)}}))
    with pytest.raises(errors.UserError, match=f'{module}/n an array of dtype'):
      pretrained.load(path)


def test_averages_are_never_dropped_or_begun_again():
  params, averages, head = _weights()
  adapt = lambda averages, expected: pretrained.adapt(
      params, averages, params, expected, heads=(head,), source='mine.npz')
  _assert_same((params, averages), adapt(averages, averages))
  with pytest.raises(errors.UserError) as e:
    adapt({}, averages)
  assert str(e.value).startswith('mine.npz does not fit the model of ')
  assert '15 missing (averages:resnet_tiny/block0_norm0/deviation, ' in str(e.value)
  with pytest.raises(errors.UserError, match=r'15 extra \(averages:resnet_tiny/'):
    adapt(averages, {})
  # A count is no float.
  floats = jax.tree.map(np.float32, averages)
  with pytest.raises(errors.UserError, match=r'5 of another shape .*updates \(\) instead of int32'):
    adapt(floats, averages)


def test_other_classes_keep_the_averages():
  params, averages, head = _weights()
  fresh, fresh_averages, _ = _weights(classes=9)
  found, kept = pretrained.adapt(params, averages, fresh, fresh_averages, heads=(head,))
  assert found[head] is fresh[head] and kept is averages
  _assert_same({**params, head: None}, {**found, head: None})
