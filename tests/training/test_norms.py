"""Statistics of groups of rows over views, devices and micro-batches (pitfalls P11, P41)."""

import jax
import ml_collections
import numpy as np
import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib
from tests.models import plain

_SHAPE = (8, 8, 1)


def _experiment(norm, *, devices=1, hosts=1, **values):
  config = schema.get_default()
  config.budget = '10 updates'
  config.model = ml_collections.ConfigDict({'name': 'resnet_tiny', 'norm': norm})
  sections.override(config, values)
  schema.validate(config)
  derived = derived_lib.derive(config, train_images=1000, devices=devices, hosts=hosts)
  return step_lib.make_experiment(
      config, derived, facts.Facts(1000, 7, _SHAPE, config.dtype), preparation.ImagePreparation(
          ops.parse('normalise()').bind((0.5,), (0.25,)), hand_over.HandOver(), _SHAPE,
          config.dtype))


_RNG = np.random.default_rng(0)
_BATCH = {'image': _RNG.integers(0, 256, (64, *_SHAPE), dtype=np.uint8),
          'label': _RNG.integers(0, 7, 64).astype(np.int32), 'draws': {}}


def _update(norm, *, devices=1, **values):
  """Returns rows of _BATCH -> (params, averages) after an update from the same weights."""
  experiment = _experiment(norm, devices=devices, **{'views': 64} | values)
  state = experiment.first_state()
  # The branches leave zero.
  state = state._replace(params=jax.tree.map(
      lambda w: w + 0.1 if w.ndim == 1 else w, state.params))
  step = jax.jit(jax.vmap(
      experiment.train_step, in_axes=(None, None, None, 0), axis_name='data'))

  def update(rows):
    batch = jax.tree.map(lambda x: x[rows].reshape((devices, -1) + x.shape[1:]), _BATCH)
    after, _ = step(state, experiment.numbers(state.update), None, batch)
    return jax.device_get(jax.tree.map(lambda x: x[0], (after.params, after.averages)))

  return update


def test_groups_on_one_device_are_devices_and_micro_batches():
  """Ghost batches of 16 rows, four devices with 16 rows each, four micro-batches of 16."""
  everything = slice(0, 64)
  params, averages = _update('ghost(size=16)')(everything)
  # Ghost batches and micro-batches move the statistics one after the other, devices at once.
  plain.assert_same(_update('batch()', accumulate=4)(everything), (params, averages), 1e-4)
  other, moved = _update('batch()', devices=4)(everything)
  plain.assert_same(other, params, 1e-4)
  alone = _update('batch()', views=16)
  parts = [alone(slice(first, first + 16))[1] for first in range(0, 64, 16)]
  plain.assert_same(moved, jax.tree.map(lambda *xs: sum(xs) / 4, *parts), 1e-5)


def test_devices_move_what_ghost_batches_move_if_it_is_moments():
  everything = slice(0, 64)
  ghost = _update("ghost(size=16, variance='squares')")(everything)
  plain.assert_same(
      _update("batch(variance='squares')", devices=4)(everything), ghost, 1e-4)


@pytest.mark.parametrize('layout, norm, values', [
    ('view_major', 'ghost(size=16)', {}), ('view_major', 'ghost(size=64)', {}),
    ('view_major', 'ghost(size=4)', {'accumulate': 2}),
    ('view_major', 'batch()', {'accumulate': 4}),
    ('view_major', 'ghost(size=8)', {'devices': 4}),
    # 16 images on each of 2 hosts, whose devices have 16 rows each.
    ('view_major', 'ghost(size=16)', {'unique': 32, 'devices': 8, 'hosts': 2}),
    # Two neighbouring hosts draw views of the same 32 images.
    ('view_major', 'ghost(size=32)', {'unique': 32, 'hosts': 2, 'devices': 2,
                                      'data.host_group': 2}),
    ('image_major', 'batch()', {}), ('image_major', 'batch()', {'devices': 4}),
    ('image_major', 'renorm()', {}), ('image_major', 'none()', {}),
    ('image_major', 'group(groups=4)', {}), ('image_major', 'ghost(size=64)', {}),
    ('image_major', 'ghost(size=100)', {}),
    ('image_major', 'ghost(size=16)', {'multiplicity': 1, 'unique': 64})])
def test_groups_of_different_images_are_taken(layout, norm, values):
  _experiment(norm, **{'views': 0, 'unique': 16, 'multiplicity': 4, 'data.layout': layout} | values)


@pytest.mark.parametrize('norm, values, size, found, most', [
    ('ghost(size=16)', {}, 16, 4, 16), ('ghost(size=4)', {}, 4, 1, 4),
    ('ghost(size=32)', {}, 32, 8, 16), ('batch_group(groups=4)', {}, 2, 1, 2),
    ('batch()', {'accumulate': 4}, 16, 4, 16), ('renorm()', {'accumulate': 2}, 32, 8, 16),
    ('ghost(size=8)', {'devices': 4}, 8, 2, 8)])
def test_groups_of_views_of_few_images_are_refused(norm, values, size, found, most):
  values = {'views': 0, 'unique': 16, 'multiplicity': 4, 'data.layout': 'image_major'} | values
  with pytest.raises(errors.ConfigError, match=(
      rf'statistics of {size} rows together, .* only {found} different images; allowed: .* '
      rf"{most} different ones .*data.layout='view_major'")):
    _experiment(norm, **values)
