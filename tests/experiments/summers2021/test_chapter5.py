"""Chapter 5 of Summers 2021: its protocol in numbers, its cells, a table from runs to report."""

import collections
import math

import jax
import numpy as np
import pytest

from experiments.summers2021 import chapter5
from nfnets_am import analysis
from nfnets_am import models
from nfnets_am.analysis import kept
from nfnets_am.analysis import measures
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.config import seeds
from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.models import model
from nfnets_am.optim import masks
from nfnets_am.optim import schedules
from nfnets_am.reporting import pages
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from nfnets_am.training import loop
from nfnets_am.training import sections

_PATH = 'experiments/summers2021/{}.py'


def _config(table, cell):
  return sections.complete(experiment_file.get_config(f'{_PATH.format(table)}:{cell}'))


@pytest.mark.parametrize('source, free', [
    ('init', {'init'}), ('shuffle', {'shuffle'}), ('augment', {'augment'}),
    ('shuffle_augment', {'shuffle', 'augment'}), ('all', {'init', 'shuffle', 'augment'}),
    ('bit', set())])
def test_a_source_moves_its_own_seeds_alone(source, free):
  config = _config('table5_1', f'source={source},seed=7')
  found = seeds.of(config)
  assert {name: getattr(found, name) for name in schema.SEEDS} == {
      name: 7 if name in free else 0 for name in schema.SEEDS}
  assert config.start.bit_change == (7 if source == 'bit' else -1)


@pytest.mark.parametrize('cycles', [1, 5])
def test_the_learning_rate_is_that_of_the_protocol(cycles):
  config = _config('table5_5', f'cycles={cycles}')
  derived = derived_lib.derive(config, train_images=50_000)
  assert (derived.updates, derived.views) == (48_828, 512)
  keys = config.schedule.to_dict()
  assert (keys.pop('name'), keys.pop('peak')) == ('cosine', 0.4)
  rate = schedules.SCHEDULES.make(
      'cosine', 0.4, derived.updates, **keys | {'warmup': derived.to_updates('', keys['warmup'])})
  assert rate(0) == 0 and config.optimizer.rates.count('times=0.1') == 3
  epoch = derived.updates_per_epoch
  for at in (1, 2.5, 3.5, 60, 99):
    expected = 0.4 * (at / 3 if at < 3 else (1 + math.cos(math.pi * at / (500 / cycles))) / 2)
    assert rate(round(at * epoch)) == pytest.approx(expected, abs=2e-3)
  # Snapshots are taken behind the last update of a cycle, when the rate has fallen to 0.
  taken = [derived.interval('', text) for text in config.evals.test.keep_at]
  assert taken[-1] == derived.updates
  if cycles == 5:
    assert max(float(rate(update - 1)) for update in taken) < 1e-7
    assert min(float(rate(update + 400)) for update in taken[:-1]) > 0.39


@pytest.mark.parametrize('table, runs, rows', [
    ('table5_1', 600, 6), ('table5_1_kernels', 400, 4), ('table5_5', 200, 6),
    ('table5_6', 1600, 24), ('table5_6_mnist', 400, 6), ('table5_6_imagenet', 60, 5),
    ('tableB_1', 1300, 18), ('tableB_2', 1480, 18), ('figure5_1', 150, 6),
    ('figure5_2', 1800, 18), ('sectionB_4', 240, 8), ('sectionB_6', 1300, 13)])
def test_cells_are_runs_and_rows_that_measure_all_of_them(table, runs, rows):
  sweep = experiment_file.get_sweep(_PATH.format(table))
  measured = [cell for cell in sweep.cells if cell.get('row')]
  assert (len(sweep.cells) - len(measured), len(measured)) == (runs, rows)
  assert list(sweep.cells[runs:]) == measured
  numbers = collections.Counter(number.cell.get('source') for number in sweep.numbers)
  # The rows with nondeterministic kernels are another table's.
  assert numbers[None] == (15 if table == 'table5_1' else 0)
  every = experiment_file.get_runs(_PATH.format(table), sweep)
  assert len({run.name for run in every}) == runs + rows
  for cell, run in zip(measured, every[runs:], strict=True):
    ((name, keys),) = calls.calls(run.config.measure)
    section = 'reseed' if cell.get('onset') else 'seeds'
    sources = chapter5.SOURCES | chapter5.WITH_KERNELS
    assert set(keys['vary']) == {
        key.replace('seeds', section) for key in sources[cell['source']]}
    # As many as there are beside it, whose config is its own but for what varies.
    of_row = kept.like(run.flat, keys['vary'])
    assert sum(of_row(one.flat) for one in every[:runs]) == keys['count'] == cell.get('count', 100)
    analysis.MEASURES.make(name, **keys)
  for number in sweep.numbers:
    if number.cell:
      assert any(cell.items() >= number.cell.items() for cell in measured), number


def test_what_is_not_of_the_chapter_is_refused():
  for cell, words in (('source=cudnn', "source='cudnn'; allowed: 'init'"),
                      ('row=pair', "row='pair'"), ('source=init,onset=50', 'with onset=50'),
                      ('scale=tiny', "scale='tiny'")):
    with pytest.raises(errors.ConfigError, match=words):
      _config('table5_1', cell)
  with pytest.raises(errors.ConfigError, match="scale='tiny'"):
    experiment_file.get_sweep(_PATH.format('table5_5'), 'tiny')


@pytest.mark.slow
def test_table_5_5_from_its_runs_to_its_report(tmp_path):
  path = _PATH.format('table5_5')
  sweep = experiment_file.get_sweep(path, 'smoke')
  runs = experiment_file.get_runs(path, sweep)
  assert len(runs) == 2 * 4 + 6
  rows = [run for run in runs if run.config.measure]
  with pytest.raises(errors.UserError, match='name 0 finished runs'):
    measures.measure(rows[0].config, tmp_path / rows[0].name, analysis.MEASURES)
  for run in runs:
    if not run.config.measure:
      assert loop.train(run.config, tmp_path / run.name)['status'] == 'finished'
  jax.clear_caches()
  for run in rows:
    measures.measure(run.config, tmp_path / run.name, analysis.MEASURES)
  results = reduction.reduce(sweep, runs, outcomes.Reader(tmp_path))
  flip = results.best({'row': 'flip', 'cycles': 5}).runs[0].final
  assert flip['single/models'] == flip['against/models'] == 4
  assert np.isfinite(flip['single/reduction'])
  single = results.best({'row': 'ensembles'}).runs[0].final
  assert single['ensemble2/models'] == 2 and flip['against/top1_sd'] == single['single/top1_sd']
  pages.write(results, tmp_path, 'report', 'the command')
  page = (tmp_path / 'report.md').read_text()
  assert '61' in page and 'smoke runs' in page


@pytest.mark.parametrize('name', [*chapter5.MODELS, 'resnet50'])
def test_a_bit_changes_in_the_first_layer_of_each_network(name):
  config = (_config('table5_6_imagenet', 'source=bit,seed=3') if name == 'resnet50' else
            _config('tableB_1', f'model={name},source=bit,seed=3'))
  made = models.MODELS.build(config.model, 10)
  params, _ = jax.eval_shape(lambda: made.init(
      jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32), model.TRAINING))
  first = config.start.bit_change_in
  # The only module whose weights take the three colours, or all pixels of them.
  assert params[first]['w'].shape[-2] in (3, 3072)


def test_an_onset_is_the_run_of_no_seed_until_its_epoch():
  found = seeds.of(_config('figure5_2', 'source=shuffle,onset=250,seed=7'))
  assert [[found.at(name, epoch) for epoch in (0, 249, 250, 499)]
          for name in ('shuffle', 'augment')] == [[0, 0, 7, 7], [0, 0, 0, 0]]
  # From the start on it is table 5.1's.
  names = [sections.run_name(_config(table, 'source=shuffle,seed=7'))
           for table in ('table5_1', 'figure5_2')]
  assert names[0] == names[1]


def test_kernels_are_deterministic_but_where_they_are_the_source():
  for table, cell, expected in (
      ('table5_1', 'source=all,seed=7', 0), ('table5_1_kernels', 'source=kernels,seed=7', 7),
      ('table5_6_imagenet', 'source=bit,seed=7', 0)):
    assert _config(table, cell).kernels == expected
  alone = [_config('table5_1_kernels', f'source=kernels,seed={seed}') for seed in (1, 2)]
  assert len({tuple(getattr(seeds.of(one), name) for name in schema.SEEDS) for one in alone}) == 1
  assert sections.run_name(alone[0]) != sections.run_name(alone[1])


def test_networks_of_table_5_6_slow_down_what_the_public_code_does():
  scales = {}
  for name in ('padded_resnet6', 'padded_resnet18', 'shufflenet_v2', 'vgg11_linear'):
    config = _config('table5_6', f'model={name}')
    made = models.MODELS.build(config.model, 10)
    params, _ = jax.eval_shape(lambda made=made: made.init(
        jax.random.key(0), np.zeros((1, 32, 32, 3), np.float32), model.TRAINING))
    slowed = [rate for rate, _ in calls.calls(config.optimizer.rates)]
    leaves = {(module, leaf) for rate in slowed
              for module, one in masks.named(rate, params).items() for leaf in one if one[leaf]}
    assert all(leaf != 'w' for _, leaf in leaves)
    assert {(module, leaf) for module in params for leaf in params[module]
            if leaf in ('b', 'offset')} <= leaves
    scales[name] = [sum(leaf == 'scale' for _, leaf in leaves),
                    sum('scale' in params[module] for module in params)]
  # VGG's at the whole rate, ShuffleNet's at a tenth, of a ResNet-18 all but three of 20.
  assert scales['vgg11_linear'] == [0, 8] and len(set(scales['shufflenet_v2'])) == 1
  assert scales['padded_resnet18'] == [17, 20] and len(set(scales['padded_resnet6'])) == 1


def test_rows_of_the_usual_recipe_share_their_runs_with_table_5_1():
  name = lambda table, cell: sections.run_name(_config(table, cell))
  for source in ('all', 'init', 'shuffle'):
    cell = f'source={source},seed=7'
    assert name('table5_1', cell) == name('tableB_2', f'{cell},peak=0.4,epochs=500')
    assert name('table5_1', cell) == name('sectionB_6', f'{cell},constant=0')
  assert name('table5_1', 'source=all,seed=7') == name('sectionB_4', 'way=sgd,source=all,seed=7')
  peaks = {way: _config('sectionB_4', f'way={way}').schedule.peak for way in
           ('momentum0', 'momentum0.5', 'sgd', 'momentum0.99', 'momentum0.999', 'adam')}
  assert list(peaks.values()) == [4.0, 2.0, 0.4, 0.04, 0.004, 0.001]
  found = seeds.of(_config('sectionB_6', 'source=init,constant=200,seed=7'))
  assert [getattr(found, one) for one in ('init', 'shuffle', 'augment')] == [7, 200, 200]


def test_a_linear_network_is_looked_at_once_an_epoch():
  config = _config('figureB_1', 'model=linear,source=bit,seed=3')
  derived = derived_lib.derive(config, train_images=50_000)
  assert derived.interval('', config.evals.test.every) == 98
  sweep = experiment_file.get_sweep(_PATH.format('figureB_1'))
  assert len(sweep.cells) == 200 and not any(cell.get('row') for cell in sweep.cells)
