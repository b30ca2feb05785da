"""Every cell of the experiments builds; the numbers that follow from them are the paper's."""

import pathlib

import pytest

from experiments.fort2021 import grids
from experiments.fort2021 import recipes
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import known
from nfnets_am.data import ops
from nfnets_am.optim import ascents
from nfnets_am.optim import sam
from nfnets_am.optim import schedules
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.training import sections

_FOLDER = pathlib.Path('experiments/fort2021')
_NAMES = ['figure2', 'figure3', 'figure4', 'figure5', 'figure6', 'figure7', 'figure8', 'figure9',
          'figure10', 'figure11', 'figure12', 'table1', 'table2']


def _path(name):
  return _FOLDER / f'{name}.py'


def _config(name, cell):
  return experiment_file.get_config(f'{_path(name)}:{cell}')


def _derive(config, images=None):
  sections.complete(config)
  schema.validate(config)
  images = images or known.training_set(config.data).train_images
  return derived_lib.derive(config, train_images=images)


@pytest.mark.parametrize('name', _NAMES)
def test_every_cell_builds_and_its_numbers_can_be_derived(name):
  sweep = experiment_file.get_sweep(_path(name), 'full')
  module = experiment_file.load(_path(name))
  assert len({cells_lib.cell_name(cell) for cell in sweep.cells}) == len(sweep.cells)
  # Seeds change nothing that is derived; one seed of each cell will do here.
  for cell in sweep.cells:
    if cell['seed'] == 0:
      config = module.get_config(cells_lib.cell_name(cell))
      derived = _derive(config)
      assert derived.multiplicity == cell['multiplicity']
      assert derived.updates == cell.get('updates', derived.updates)
      assert config.data.set in ('cifar100', 'imagenet2012')
      # Lanes share out the unique images of a streamed set.
      assert config.data.name == 'memory' or derived.unique % config.data.lanes == 0


@pytest.mark.parametrize('name', _NAMES)
def test_the_small_scale_has_the_structure_of_the_full_one(name):
  full, smoke = (experiment_file.get_sweep(_path(name), scale) for scale in ('full', 'smoke'))
  runs = experiment_file.get_runs(_path(name), smoke)
  assert len(runs) <= 50
  for run in runs:
    _derive(experiment_file.get_config(run.flags[0].removeprefix('--config=')), images=160)
  assert [panel.x for panel in smoke.panels] == [panel.x for panel in full.panels]
  assert len(smoke.claims) == len(full.claims) and len(smoke.numbers) == len(full.numbers)
  assert (smoke.tune, smoke.tune_factor, smoke.metric) == (full.tune, full.tune_factor, full.metric)
  assert 'smoke runs' in smoke.note and not full.note


@pytest.mark.parametrize('name', _NAMES)
def test_every_panel_and_number_has_cells(name):
  sweep = experiment_file.get_sweep(_path(name), 'full')
  for panel in sweep.panels:
    assert any(paper.matches(cell, panel.where) for cell in sweep.cells), panel.title
  for number in sweep.numbers:
    mine = any(paper.matches(cell, number.cell) for cell in sweep.cells)
    # What the paper took from others, or did not run, need not be run here.
    assert mine or number.value is None or number.reading == 'Brock et al. 2021b', number


@pytest.mark.parametrize('name, of', [
    ('figure6', ('figure4', 'figure5')), ('figure7', ('figure4', 'figure5', 'figure6')),
    ('figure10', ('figure4', 'figure5')), ('figure11', ('figure4',)),
    ('figure8', ('table1', 'table2'))])
def test_what_another_figure_has_trained_is_not_trained_again(name, of):
  one_seed = lambda cells: tuple(cell for cell in cells if cell['seed'] == 0)
  names = {}
  for other in (name, *of):
    sweep = experiment_file.get_sweep(_path(other), 'full')
    cells = experiment_file.Sweep(sweep.title, one_seed(sweep.cells))
    names[other] = {run.name for run in experiment_file.get_runs(_path(other), cells)}
  shared = set.union(*(names[other] for other in of))
  assert len(names[name] & shared) >= len(names[name]) / 3
  for other in of:
    assert names[name] & names[other]
  if name == 'figure8':
    assert names[name] == shared


@pytest.mark.parametrize('updates, epochs', [
    (112_600, {1: 360.0, 2: 180.0, 4: 90.0, 8: 45.0, 16: 22.5}),
    (168_900, {1: 540.0, 2: 270.0, 4: 135.0, 8: 67.5, 16: 33.7}),
    (225_200, {4: 180.0, 8: 90.0, 16: 45.0})])
def test_updates_of_the_tables_are_the_papers_epochs(updates, epochs):
  for n, expected in epochs.items():
    config = _config('table1', f'multiplicity={n},updates={updates}')
    derived = _derive(config)
    assert round(derived.epochs, 1) == expected
    assert (derived.views, derived.unique, derived.updates) == (4096, 4096 // n, updates)
    assert config.schedule.peak == (1.6 if n == 1 else 0.8)
    assert derived.to_updates('schedule.warmup', config.schedule.warmup) == pytest.approx(
        1563.9246, abs=1e-4)


def test_the_cosine_of_the_tables_in_updates():
  # 112,602 updates are the public config's; the values are pitfall P34's.
  cosine = schedules.SCHEDULES.make('warmup_cosine', 0.8, 112_602, warmup=1563.92456)
  for update, expected in ((782, 0.400019), (57_083, 0.4), (112_602, 0.0)):
    assert float(cosine(update)) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize('cell, unique, views, per_epoch, updates', [
    ('unique=64,multiplicity=16', 64, 1024, 781.25, 100_000),
    ('unique=64,multiplicity=0', 64, 64, 781.25, 100_000),
    ('unique=0,views=1024,multiplicity=1', 1024, 1024, 48.828125, 6_250),
    ('unique=0,views=1024,multiplicity=16', 64, 1024, 781.25, 100_000),
    ('unique=0,views=64,multiplicity=4', 16, 64, 3125.0, 400_000),
    ('unique=0,views=1024,multiplicity=4,neighbouring=1', 1024, 1024, 195.3125, 25_000),
    ('unique=0,views=1024,multiplicity=4,epochs=2048', 256, 1024, 195.3125, 400_000),
    ('unique=0,views=1024,multiplicity=1,epochs=8192', 1024, 1024, 48.828125, 400_000)])
def test_wide_resnets_on_cifar(cell, unique, views, per_epoch, updates):
  derived = _derive(_config('figure2', cell))
  assert (derived.unique, derived.views) == (unique, views)
  assert (derived.updates_per_epoch, derived.updates) == (per_epoch, updates)


def test_the_rate_halves_from_the_middle_of_the_budget_on():
  for views, n, first in ((1024, 1, 3_125), (1024, 16, 50_000)):
    config = _config('figure4', f'views={views},multiplicity={n},epochs=128,peak=0.5')
    kwargs = config.schedule.to_dict()
    rate = schedules.SCHEDULES.make(
        kwargs.pop('name'), kwargs.pop('peak'), _derive(config).updates, **kwargs)
    assert [float(rate(update)) for update in (0, first - 1, first)] == [0.5, 0.5, 0.25]
    assert float(rate(_derive(config).updates - 1)) == 0.5 / 1024


@pytest.mark.parametrize('cell, unique, views, warmup, updates', [
    ('unique=256,multiplicity=8,epochs=128', 256, 2048, 25_022.8, 640_584),
    ('unique=0,views=4096,multiplicity=8,epochs=128', 512, 4096, 12_511.4, 320_292),
    ('unique=0,views=4096,multiplicity=1,epochs=512', 4096, 4096, 1_563.9, 160_146),
    ('unique=0,views=256,multiplicity=8,epochs=32', 32, 256, 200_182.3, 1_281_167)])
def test_nf_resnets_on_imagenet(cell, unique, views, warmup, updates):
  config = _config('figure3', cell)
  derived = _derive(config)
  assert (derived.unique, derived.views, derived.updates) == (unique, views, updates)
  assert derived.to_updates('warmup', config.schedule.warmup) == pytest.approx(warmup, abs=0.1)
  assert config.objective.label_smoothing == 0.1 and config.optimizer.weight_decay == 5e-5
  assert (config.model.dropout, config.model.stochastic_depth) == (0.25, 0.1)


def test_the_recipe_of_sam_and_of_each_variant():
  f5 = _config('table2', 'model=nfnet_f5,updates=168900')
  assert f5.ascent.to_dict() == {
      'name': 'sam', 'rho': 0.05, 'synchronised': False, 'fraction': 1.0, 'part': 'images'}
  assert (f5.multiplicity, f5.schedule.peak) == (16, 0.8)
  assert (ops.parse(f5.data.augment).crop, f5.data.eval_size, f5.model.dropout) == (416, 544, 0.5)
  assert 'magnitude=15' in f5.data.augment and f5.ema == 0.99999
  f2 = _config('table1', 'model=nfnet_f2')
  assert (ops.parse(f2.data.augment).crop, f2.data.eval_size, f2.model.dropout) == (256, 352, 0.4)
  assert 'magnitude=10' in f2.data.augment and f2.ascent.name == 'none'
  for config in (f2, f5):
    assert "contrast='as_published', solarize='as_published')" in config.data.augment
  assert _derive(f5).epochs == pytest.approx(33.749, abs=1e-3)


def test_a_fifth_of_a_core_of_table_2_is_a_part_of_its_views():
  config = experiment_file.get_config(
      f'{_path("table2")}:model=nfnet_f5', {'ascent.fraction': 0.2, 'ascent.part': 'views'})
  derived = derived_lib.derive(
      sections.complete(config), train_images=known.training_set(config.data).train_images,
      devices=128)
  rows = sam.RowsOfDevice(derived.views_per_device, derived.copies_per_host, config.data.layout, 1)
  assert rows[:2] == (32, 16)
  ascents.ASCENTS.build(config.ascent, rows)
  config.ascent.part = 'images'
  with pytest.raises(errors.ConfigError, match="0.4 images; .* or ascent.part='views'"):
    ascents.ASCENTS.build(config.ascent, rows)


def test_learning_rates_are_tuned_for_each_cell_and_never_scaled_with_n():
  sweep = experiment_file.get_sweep(_path('figure2'), 'full')
  peaks = {}
  for cell in sweep.cells:
    peaks.setdefault((cell['multiplicity'], cell['epochs']), set()).add(cell['peak'])
  assert peaks[1, 16] == peaks[16, 512] == {2.0 ** k for k in range(-7, 0)}
  assert peaks[1, 128] == peaks[16, 128] == {2.0 ** k for k in range(-9, 2)}
  assert (sweep.best_of, sweep.tune, sweep.select) == (5, 'peak', 'test')
  assert {cell['seed'] for cell in sweep.cells} == set(range(7))


def test_held_out_images_choose_the_rate_where_asked():
  sweep = experiment_file.get_sweep(_path('figure2'), 'validation')
  assert sweep.selected_by('test/top1') == 'validation/top1'
  assert sweep.selected_by('train/loss') == 'train/loss'
  # NFNets hold out 10,000 of 1,281,167.
  for name, held_out, rest in (('figure2', 5000, 45_000), ('figure3', 10_000, 1_271_167)):
    sweep = experiment_file.get_sweep(_path(name), 'validation')
    assert sweep.select == 'validation'
    config = _config(name, cells_lib.cell_name(sweep.cells[0]))
    assert config.data.validation == held_out
    assert {part.split for part in config.evals.values()} >= {'validation', 'test'}
    derived = _derive(config)
    assert derived.train_images == rest
    assert derived.updates == round(sweep.cells[0]['epochs'] * rest / derived.unique)
  both = experiment_file.get_sweep(_path('figure4'), 'validation')
  assert {cell['model'] for cell in both.cells} == {'wide_resnet', 'nf_resnet50'}
  assert {cell['scale'] for cell in both.cells} == {'validation'}
  with pytest.raises(errors.ConfigError, match="scale='validation'.*nothing is tuned here"):
    experiment_file.get_sweep(_path('table1'), 'validation')
  with pytest.raises(errors.ConfigError, match="scale='tiny'.*full, validation, smoke"):
    grids.grid('wide_resnet', 'growing', 'tiny')


def test_wrong_cells_are_refused_in_a_sentence():
  with pytest.raises(errors.ConfigError, match="unknown model of this experiment 'resnet'"):
    recipes.tuned('model=resnet')
  with pytest.raises(errors.ConfigError, match="no key 'epoch' .*did you mean 'epochs'"):
    recipes.tuned('epoch=3')
  with pytest.raises(errors.ConfigError, match="unknown model 'nfnet_f9'"):
    recipes.nfnet('model=nfnet_f9')
