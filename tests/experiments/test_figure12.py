"""Figure 12: one view and n masks in every update, and the runs without dropout are Figure 2's."""

import dataclasses

import jax
import jax.numpy as jnp
import pytest

from nfnets_am import config as config_lib
from nfnets_am import derived as derived_lib
from nfnets_am import experiment as experiment_lib
from nfnets_am import experiment_file
from nfnets_am.data import ops
from tests import commands

_FOLDER = commands.ROOT / 'experiments' / 'fort2021'


@pytest.mark.parametrize('masks', [1, 16])
def test_an_update_is_64_views_whatever_the_masks(masks):
  config = experiment_file.get_config(f'{_FOLDER / "figure12.py"}:masks={masks},epochs=512')
  config_lib.validate(config)
  read = config_lib.ReadConfig(config)
  derived = derived_lib.derive(read, train_images=50_000)
  assert (derived.unique, derived.views, derived.multiplicity) == (64, 64, 1)
  assert (derived.updates, derived.updates_per_epoch) == (400_000, 781.25)
  assert config.model.to_dict() == {
      'name': 'wide_resnet', 'depth': 16, 'width': 4, 'dropout': 0.4, 'dropout_masks': masks}
  experiment = experiment_lib.make_experiment(
      read, derived, num_classes=100, image_shape=(32, 32, 3), mean=(0.5,) * 3, std=(0.25,) * 3,
      augmentation=ops.parse(config.data.augment))
  batch = {'image': jnp.zeros((1, 64, 32, 32, 3), jnp.uint8),
           'label': jnp.zeros((1, 64), jnp.int32), 'draws': {}}
  state, metrics = jax.eval_shape(
      jax.vmap(experiment.train_step, in_axes=(None, None, 0), axis_name='data'),
      jax.eval_shape(experiment.init), None, batch)
  assert sum(x.size for x in jax.tree.leaves(state.params)) == 2_770_666
  assert metrics['loss'].shape == (1,)


def test_without_masks_the_runs_are_those_of_figure_2():
  def names(file):
    path = _FOLDER / file
    sweep = experiment_file.get_sweep(path)
    cells = tuple(cell for cell in sweep.cells
                  if not cell.get('masks') and cell['multiplicity'] == 1 and cell['seed'] < 1)
    return {run.name for run in experiment_file.get_runs(
        path, dataclasses.replace(sweep, cells=cells))}

  # Figure 2 has a wider grid of learning rates at 128 epochs, Figure 12 at 512.
  shared = names('figure12.py') & names('figure2.py')
  assert len(shared) == 6 * 7
  for scale, runs in (('full', 6 * (5 * 7 + 11) * 7), ('smoke', 3 * 2 * 3 * 2)):
    sweep = experiment_file.get_sweep(_FOLDER / 'figure12.py', scale)
    assert len(sweep.cells) == runs
