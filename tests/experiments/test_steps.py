"""The real step of every model, image size and recipe traces, without a weight allocated."""

import jax
import jax.numpy as jnp
import pytest

from nfnets_am import config as config_lib
from nfnets_am import derived as derived_lib
from nfnets_am import experiment as experiment_lib
from nfnets_am import experiment_file
from nfnets_am import parallel
from nfnets_am.data import known
from nfnets_am.data import ops

_SLOW = pytest.mark.slow


# Other cells of the experiments differ from these in the batch's shape and in numbers alone.
@pytest.mark.parametrize('cell, parameters', [
    ('figure2.py:multiplicity=16', 2_770_666),
    ('figure3.py:multiplicity=8', 25_557_048),
    ('table1.py:model=nfnet_f2,multiplicity=16', 193_779_228),
    pytest.param('table1.py:model=nfnet_f3,multiplicity=16', 254_924_200, marks=_SLOW),
    pytest.param('table2.py:model=nfnet_f5,updates=168900', 377_214_144, marks=_SLOW)])
def test_the_step_traces_at_full_size(cell, parameters):
  config = experiment_file.get_config(f'experiments/fort2021/{cell}')
  facts = known.KNOWN[config.data.name]
  read = config_lib.ReadConfig(config)
  augmentation = ops.parse(read.data.augment)
  derived = derived_lib.derive(read, train_images=facts.train_images)
  shape = facts.image_shape or (config.data.crop, config.data.crop, 3)
  experiment = experiment_lib.make_experiment(
      read, derived, num_classes=facts.num_classes, image_shape=shape, mean=(0.5,) * 3,
      std=(0.5,) * 3, augmentation=augmentation)
  rows = lambda *shape, dtype: jax.ShapeDtypeStruct((1, derived.views, *shape), dtype)
  batch = {'image': rows(*shape, dtype=jnp.uint8), 'label': rows(dtype=jnp.int32), 'draws': {}}
  if config.data.mix:
    batch |= {'partner_label': rows(dtype=jnp.int32), 'weight': rows(dtype=jnp.float32)}
  state = jax.eval_shape(experiment.init)
  assert sum(x.size for x in jax.tree.leaves(state.params)) == parameters
  step = parallel.map_step(experiment.train_step, 'pmap', replicated=2)
  after, metrics = jax.eval_shape(step, state, None, batch)
  assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
      lambda x: (x.shape, x.dtype), state)
  assert set(metrics) == {'loss', 'top1', 'learning_rate'}
