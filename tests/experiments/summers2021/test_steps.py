"""Steps of the tables trace at their real size, and the images of every row are prepared."""

import jax
import jax.numpy as jnp
import pytest

from experiments.summers2021 import recipes
from experiments.summers2021 import table2_3
from nfnets_am.config import derived as derived_lib
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib

# Images, (H, W, C), classes.
_SETS = {'table2_1': (50_000, (32, 32, 3), 10), 'table2_2': (50_000, (32, 32, 3), 100),
         'table2_3': (10_240, (299, 299, 3), 256)}
_RESNET = 11_171_146
# Inception-v3 with 1000 classes and its second head has 27,161,264.
_INCEPTION = 27_161_264 - (1000 - 256) * (2048 + 1 + 768 + 1)


def _prepared(name, method):
  """The config, its preparation, the pool and the batch of a device."""
  config = sections.complete(
      experiment_file.get_config(f'experiments/summers2021/{name}.py:method={method}'))
  images, shape, _ = _SETS[name]
  way = ops.parse(config.data.augment).bind((0.5,) * 3, (0.5,) * 3)
  on_device = config.data.get('apply') == 'device'
  way.check(*shape[:2])
  prepare = preparation.ImagePreparation(
      way, hand_over.HandOver(), shape, config.dtype, start=0 if on_device else way.at,
      on_device=on_device)
  pool = jax.ShapeDtypeStruct((images, *shape), jnp.uint8) if on_device else None
  return config, prepare, pool, prepare.batch_spec(config.views)


@pytest.mark.parametrize('name, methods', [
    ('table2_1', recipes.METHODS), ('table2_3', table2_3.METHODS)])
def test_the_images_of_every_row_are_prepared(name, methods):
  for method in methods:
    config, prepare, pool, batch = _prepared(name, method)
    rows = jax.eval_shape(prepare.prepare, pool, batch)
    assert rows['inputs'].shape == (config.views, *_SETS[name][1])
    assert rows['inputs'].dtype == jnp.float32
    assert ('weight' in rows) == (method != recipes.BASELINE)


@pytest.mark.parametrize('name, method, parameters', [
    ('table2_1', 'vh_bc_plus', _RESNET), ('table2_2', 'baseline', _RESNET + 90 * 513),
    pytest.param('table2_3', 'vh_mixup', _INCEPTION, marks=pytest.mark.slow)])
def test_the_step_traces_at_full_size(name, method, parameters):
  config, prepare, pool, batch = _prepared(name, method)
  images, shape, classes = _SETS[name]
  derived = derived_lib.derive(config, train_images=images)
  experiment = step_lib.make_experiment(
      config, derived, facts.Facts(images, classes, shape, config.dtype), prepare)
  state = jax.eval_shape(experiment.init)
  assert sum(x.size for x in jax.tree.leaves(state.params)) == parameters
  batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype), batch)
  after, metrics = jax.eval_shape(
      step_lib.map_train_step(experiment, 'pmap'), state,
      jax.eval_shape(experiment.numbers, state.update), pool, batch)
  assert jax.tree.map(lambda x: x.shape, after) == jax.tree.map(lambda x: x.shape, state)
  assert set(metrics) == {'loss', 'top1', 'learning_rate'}
