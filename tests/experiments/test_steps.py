"""The real step of every cell traces at its real size, without a weight allocated.

Cells whose steps differ in numbers alone (learning rate, seed, length) share a trace.
"""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import identity
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import known
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.data import views
from nfnets_am.data.memory import batches as memory_batches
from nfnets_am.data.memory import sources
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib

_FOLDER = pathlib.Path('experiments/fort2021')
_WRN, _NF_RESNET50 = 2_770_666, 25_557_048
_F2, _F3, _F5 = 193_779_228, 254_924_200, 377_214_144

# Cells, one for each step, and their parameters.
_STEPS = {
    'figure2:multiplicity=0': _WRN,
    **{f'figure2:multiplicity={n}': _WRN for n in (1, 2, 4, 8, 16)},
    **{f'figure12:masks={masks}': _WRN for masks in (1, 2, 4, 8, 16)},
    **{f'figure3:multiplicity={n}': _NF_RESNET50 for n in (1, 2, 4, 8)},
    'figure4:model=nf_resnet50,views=4096': _NF_RESNET50,
    # One channel for three into the 16 of its first convolution, 10 classes for 100.
    'figure4b_fashion:multiplicity=4': _WRN - 2 * 16 * 3 * 3 - 90 * (256 + 1),
    'table1:model=nfnet_f2,multiplicity=16': _F2,
    'table1:model=nfnet_f3,multiplicity=16': _F3,
    'table2:model=nfnet_f3': _F3,
    'table2:model=nfnet_f5': _F5,
}


def _config(cell):
  name, _, cell = cell.partition(':')
  return experiment_file.get_config(f'{_FOLDER / name}.py:{cell}')


def _derive(config):
  images = known.KNOWN[config.data.set].train_images
  return derived_lib.derive(config, train_images=images)


def _step(config):
  """What a step's trace depends on; of the schedule, not its numbers."""
  numbers = ('budget', 'checkpoint', 'eval_batch', 'eval_every', 'evals', 'log_every',
             'multiplicity', 'neighbouring', 'schedule', 'seed', 'seeds', 'unique', 'views')
  left = {key: value for key, value in identity.flatten(config)
          if key.split('.')[0] not in numbers}
  # What a host does leaves the step alone, but for the size of its views.
  if config.data.name == 'stream':
    way = _augmentation(config)
    left |= {'data.augment': [way.crop, way.mix is not None]}
  return json.dumps([left, config.schedule.name, config.multiplicity > 0, _derive(config).views])


def _augmentation(config):
  channels = known.training_set(config.data).image_shape[-1]
  return ops.parse(config.data.augment).bind((0.5,) * channels, (0.5,) * channels)


def _batch(config, derived, shape):
  """The arrays of one update on one device, and the pool that views are drawn from there."""
  if config.data.apply == 'device':
    images = known.KNOWN[config.data.set].train_images
    split = sources.Split(np.zeros((images, *shape), np.uint8), np.zeros(images, np.int32))
    plan = views.ViewPlan(
        examples=images, unique=derived.unique, multiplicity=derived.multiplicity,
        neighbouring=derived.scheme == 'neighbouring', shuffle_seed=0, layout=config.data.layout)
    batch = next(memory_batches.host_batches(
        split, plan, _augmentation(config), 0, 0, 1, apply='device'))
    pool = jax.ShapeDtypeStruct(split.image.shape, jnp.uint8)
  else:
    rows = np.zeros(derived.views, np.int32)
    batch = {'image': jax.ShapeDtypeStruct((derived.views, *shape), jnp.uint8), 'label': rows,
             'example': rows, 'draws': {}}
    if _augmentation(config).mix:
      batch |= {'partner_label': rows, 'partner_example': rows, 'weight': rows.astype(np.float32)}
    pool = None
  return pool, jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype), batch)


@pytest.mark.parametrize('cell', [
    pytest.param(cell, marks=[pytest.mark.slow] if parameters > _F2 else [])
    for cell, parameters in _STEPS.items()])
def test_the_step_traces_at_full_size(cell):
  config = _config(cell)
  found, derived = known.training_set(config.data), _derive(config)
  shape = found.image_shape
  on_device = config.data.apply == 'device'
  prepare = preparation.ImagePreparation(
      _augmentation(config), hand_over.HandOver(), shape, config.dtype,
      start=0 if on_device else _augmentation(config).at, on_device=on_device)
  experiment = step_lib.make_experiment(
      config, derived, facts.Facts(found.train_images, found.num_classes, shape, config.dtype),
      prepare)
  pool, batch = _batch(config, derived, shape)
  # What ahead-of-time compilation takes in the place of such a batch.
  assert batch == jax.tree.map(
      lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype),
      prepare.batch_spec(derived.views, raw=config.multiplicity == 0))
  state = jax.eval_shape(experiment.init)
  assert sum(x.size for x in jax.tree.leaves(state.params)) == _STEPS[cell]
  step = step_lib.map_train_step(experiment, 'pmap')
  after, metrics = jax.eval_shape(
      step, state, jax.eval_shape(experiment.numbers, state.update), pool, batch)
  assert jax.tree.map(lambda x: (x.shape, x.dtype), after) == jax.tree.map(
      lambda x: (x.shape, x.dtype), state)
  assert set(metrics) == {'loss', 'top1', 'learning_rate'}


def test_every_cell_of_every_experiment_has_such_a_step():
  traced = {_step(_config(cell)) for cell in _STEPS}
  assert len(traced) == len(_STEPS)
  needed = set()
  for path in experiment_file.find(_FOLDER):
    # What figure 9 traces stands in test_figure9.py; small.py is trained in test_small.py.
    if path.stem not in ('figure9', 'small'):
      module = experiment_file.load(path)
      for cell in experiment_file.get_sweep(path, 'full').cells:
        if cell['seed'] == 0:
          needed.add(_step(sections.complete(module.get_config(cells_lib.cell_name(cell)))))
  assert needed == traced
