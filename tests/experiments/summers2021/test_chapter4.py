"""Chapter 4 of Summers 2021: every run of its experiments, and its claims in made-up worlds."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest

from experiments.summers2021 import figure4_1
from experiments.summers2021 import figure4_2
from experiments.summers2021 import figure4_4
from experiments.summers2021 import figure4_5b
from experiments.summers2021 import figureA_1
from experiments.summers2021 import section4_3_3
from experiments.summers2021 import section4_3_4
from experiments.summers2021 import sectionA_3
from experiments.summers2021 import sectionA_3_groups
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import known
from nfnets_am.models import norms
from nfnets_am.optim import penalties
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import paper
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import made_up

_FOLDER = pathlib.Path('experiments/summers2021')
_RUNS = {'table4_1': 9, 'figure4_2': 3, 'figure4_3': 21, 'figure4_4': 21, 'figure4_5': 46,
         'figure4_5b': 46, 'section4_3_3': 48, 'section4_3_4': 12, 'sectionA_3_groups': 24}


@pytest.mark.parametrize('name', _RUNS)
def test_every_cell_is_a_run_of_its_own_at_either_scale(name):
  for scale in ('full', 'smoke'):
    sweep = experiment_file.get_sweep(_FOLDER / f'{name}.py', scale)
    runs = experiment_file.get_runs(_FOLDER / f'{name}.py', sweep)
    assert len({run.name for run in runs}) == len(runs)
    assert len(runs) == _RUNS[name] or scale == 'smoke'
    assert len(sweep.claims) > 0 and bool(sweep.note) == (scale == 'smoke')
    for run in runs:
      schema.validate(run.config)
      penalties.parse(run.config.penalty)
      norms.parse(run.config.model.norm)
    for number in sweep.numbers:
      assert scale == 'smoke' or any(
          paper.matches(cell, number.cell) for cell in sweep.cells), number


def test_inception_has_groups_that_divide_its_widths():
  for name in ('figure4_2', 'section4_3_4'):
    config = experiment_file.get_config(f'{_FOLDER / name}.py:data=caltech256')
    assert config.model.norm.startswith('group(groups=16') and config.model.name == 'inception_v3'
  assert all(width % 16 == 0 for width in (32, 48, 64, 80, 96, 128, 160, 192, 320, 384, 448))


def test_fine_tuning_leaves_the_images_that_the_docstring_says():
  for data, (_, images, validation, passes) in figure4_5b.DATA.items():
    assert known.KNOWN[data].train_images == images + validation
    config = experiment_file.get_config(f'{_FOLDER}/figure4_5b.py:data={data},method=ours,x=4')
    assert abs(int(config.budget.split()[0]) * 4 - passes * images) <= 2
    assert config.start.file == 'resnet152.safetensors' and config.schedule.peak == 0.01 * 4 / 128
    assert 'towards(coefficient=0.0001)' in config.penalty


def test_what_there_is_not_is_refused():
  for name, cell, words in (('section4_3_3', 'data=svhn,model=resnet50', 'allowed: cifar100/own'),
                            ('section4_3_3', 'decay=to_two', "decay='to_two'; allowed: none"),
                            ('section4_3_4', 'method=ghost', "method='ghost'; allowed: group"),
                            ('figure4_5b', 'data=cars', "data='cars'")):
    with pytest.raises(errors.ConfigError, match=words):
      experiment_file.get_config(f'{_FOLDER / name}.py:{cell}')
  with pytest.raises(errors.UserError, match='allowed: resnet152'):
    figure4_1.command('resnet50', 'x', None)


def _outcomes(sweep, value):
  results = made_up.results(sweep, value)
  return [claim.check(results).outcome for claim in sweep.claims]


@pytest.mark.parametrize('gaps, outcomes', [
    # CIFAR-100 by decay, to 0 instead of to 1, Inception, ResNet-50, SVHN; runs scatter by 0.1.
    ((0.3, 0.0, -0.3, 0.9, 0.0), ['holds'] * 5),
    ((-0.3, 0.5, 0.3, -0.9, 0.5), ['does not hold'] * 5),
    ((0.0, 0.0, 0.0, 0.0, 0.0),
     ['not resolved', 'holds', 'not resolved', 'not resolved', 'holds'])])
def test_section_4_3_3_tests_two_samples(gaps, outcomes):
  cifar, zero, inception, resnet, svhn = gaps
  gap = {('cifar100', 'own'): cifar, ('caltech256', 'own'): inception,
         ('caltech256', 'resnet50'): resnet, ('svhn', 'own'): svhn}
  value = lambda cell, metric: 70 + (cell['decay'] != 'none') * gap[cell['data'], cell['model']] + (
      zero if cell['decay'] == 'to_zero' else 0)
  assert _outcomes(section4_3_3.get_sweep(), value) == outcomes


def _curve(best, gain, off):
  """Accuracy over alpha: so much more at the best one, 5 points less elsewhere but at `off`."""
  def of(metric):
    alpha = float(metric.partition('@')[2])
    points = 70 + (gain if alpha == best else 0 if alpha == off else -5)
    return points if 'top1' in metric else 2 - points / 100
  return of


def _thrice(sweep, value):
  """Outcomes with three seeds of each cell: of one run no error is known, and nothing counts."""
  cells = tuple({**cell, 'seed': seed} for cell in sweep.cells for seed in range(3))
  assert set(_outcomes(sweep, value)) <= {paper.OPEN, paper.HOLDS, paper.FAILS}
  return _outcomes(dataclasses.replace(sweep, cells=cells), value)


def test_figure_4_2_holds_where_a_little_of_the_averages_helps_and_half_does_no_harm():
  def world(gain, half):
    def value(cell, metric):
      return 70 + half if metric.endswith('top1@0.5') else _curve(0.98, gain, 1.0)(metric)
    return _thrice(figure4_2.get_sweep(), value)
  assert world(3, 1) == [paper.HOLDS] * 4
  assert world(3, -3) == [paper.HOLDS] * 3 + [paper.FAILS]
  assert _outcomes(figure4_2.get_sweep(), lambda cell, metric: 70) == [paper.OPEN] * 4


def test_figure_4_4_by_what_small_and_large_ghost_batches_gain():
  def world(small, large):
    return _thrice(figure4_4.get_sweep(), lambda cell, metric: _curve(
        *((0.1, small) if cell['size'] < 32 else (0.01, large)), 0.0)(metric))
  sweep = figure4_4.get_sweep()
  assert 0.1 in figure4_4.ALPHAS and 0.01 in figure4_4.ALPHAS
  assert world(30, 3) == [paper.HOLDS] * len(sweep.claims)
  turned = world(-3, 30)
  for claim, outcome in zip(sweep.claims, turned, strict=True):
    # Where nothing is gained alpha is 0, and off is on.
    assert outcome == (paper.OPEN if 'on top of' in claim.text else paper.FAILS), claim.text


def test_figure_4_5b_by_the_best_of_all_sizes():
  def world(gap):
    return _thrice(figure4_5b.get_sweep(), lambda cell, metric: (
        80 + gap * (cell['method'] == 'ours' and cell['x'] == 16)))
  assert world(8) == [paper.HOLDS] * 4
  assert world(-8) == [paper.OPEN] * 4
  assert _thrice(figure4_5b.get_sweep(), lambda cell, metric: 80 - 8 * (cell['method'] == 'ours')
                 ) == [paper.FAILS] * 4


def test_group_norms_of_appendix_a_3_by_half_a_point():
  def world(gains):
    return _outcomes(sectionA_3_groups.get_sweep(), lambda cell, metric: (
        75 + gains.get(cell['way'], 0)))
  assert world({}) == [paper.HOLDS] * 5
  assert world({'noise': -3, 'random_half': 2, 'rising': 2, 'even': 0.5, 'learnt': 2}) == [
      paper.HOLDS, paper.FAILS, paper.FAILS, paper.OPEN, paper.FAILS]
  with pytest.raises(errors.ConfigError, match="way='nois' .did you mean 'noise'"):
    sectionA_3_groups.get_config('way=nois')


def test_section_4_3_4_by_its_gains():
  def union(gap):
    return lambda cell, metric: 70 + gap * (cell['method'] == 'batch_group')
  good, bad = (_outcomes(section4_3_4.get_sweep(), union(gap)) for gap in (5, -5))
  # SVHN has one run, of unknown error.
  assert good[:2] == [paper.HOLDS] * 2 and bad[:2] == [paper.FAILS] * 2
  assert good[2] == bad[2] == paper.OPEN


def test_figure_4_1_reads_what_evaluate_prints(tmp_path):
  def lines(gain, at):
    found = {'images': 50_000}
    for alpha in figure4_1.ALPHAS:
      more = gain if alpha == at else 0 if not alpha else -0.01
      found |= {f'top1@{alpha:g}': 0.78 + more, f'top5@{alpha:g}': 0.94 + more / 2,
                f'loss@{alpha:g}': 0.9 - more}
    return found
  for name, at in (('resnet152', 0.01), ('mobilenet_v2', 0.02), ('nasnet_a_large', 0.1)):
    (tmp_path / f'{name}.json').write_text(json.dumps(lines(0.02, at)))
  verdicts = lambda: [claim.check(found).outcome for found in [figure4_1.results(tmp_path)]
                      for claim in found.sweep.claims]
  assert verdicts() == [paper.HOLDS] * 5
  for name, at in (('resnet152', 0.1), ('mobilenet_v2', 0.2), ('nasnet_a_large', 0.01)):
    (tmp_path / f'{name}.json').write_text(json.dumps(lines(-0.02, at)))
  # Without a gain 0 is the best for all, as far as can be told.
  assert verdicts()[:4] == [paper.FAILS] * 4
  (tmp_path / 'resnet152.json').unlink()
  assert verdicts()[0] == paper.NOT_RUN
  assert figure4_1.command('nasnet_a_large', 'C', 'DIR')[3:] == [
      '--weights=C', '--model=nasnet_a_large(count_padding=True)', '--size=331',
      '--normalise=mean=.5, std=.5', '--alphas=' + ','.join(f'{a:g}' for a in figure4_1.ALPHAS),
      '--batch=50', '--data_dir=DIR']


def test_averages_and_ranges_of_a_network_are_those_of_its_images():
  config = sections.complete(
      experiment_file.get_config(f'{_FOLDER}/figure4_3.py:size=8,scale=smoke'))
  built = run_lib.build(config)
  state = built.experiment.first_state()
  found = sectionA_3.over(built, state.params, state.averages, 'train', passes=60)
  own, first = (tree['resnet_tiny/~/stem_norm'] if 'resnet_tiny/~/stem_norm' in tree else
                tree['resnet_tiny/stem_norm'] for tree in (found, state.averages))
  # From 0 and 1 they have come to the moments of the images; the decay is 0.99.
  assert np.all(np.asarray(first['mean']) == 0) and np.abs(own['mean']).max() > 0.01
  assert np.all(own['squares'] >= np.square(own['mean']) - 1e-5)
  # The last norm begins with a scale of 0.
  params = {module: {**leaves, **({'scale': np.ones(8)} if 'scale' in leaves else {})}
            for module, leaves in state.params.items()}
  ranges = figureA_1.ranges(built, params, found, most=2)
  assert ranges['bound'] == pytest.approx(-(ranges['values'] - 1) ** 0.5)
  assert ranges['values'] % 8 == 0 and ranges['bound'] <= ranges['training'] < 0
