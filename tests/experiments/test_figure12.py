"""Figure 12: one view and n masks in every update, and the runs without dropout are Figure 2's."""

import dataclasses

import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections
from tests import commands

_FOLDER = commands.ROOT / 'experiments' / 'fort2021'


@pytest.mark.parametrize('masks', [1, 16])
def test_an_update_is_64_views_whatever_the_masks(masks):
  config = experiment_file.get_config(f'{_FOLDER / "figure12.py"}:masks={masks},epochs=512')
  schema.validate(config)
  derived = derived_lib.derive(config, train_images=50_000)
  assert (derived.unique, derived.views, derived.multiplicity) == (64, 64, 1)
  assert (derived.updates, derived.updates_per_epoch) == (400_000, 781.25)
  assert config.model.to_dict() == sections.keys_of('model', 'wide_resnet') | {
      'name': 'wide_resnet', 'depth': 16, 'width': 4, 'dropout': 0.4, 'dropout_masks': masks}


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
