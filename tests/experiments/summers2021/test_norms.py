"""Table 4.1, figures 4.3 and 4.5: splits, norms, lengths in examples, claims on made-up runs."""

import dataclasses
import pathlib

import pytest

from experiments.summers2021 import norm_recipes
from experiments.summers2021 import table4_1
from experiments.summers2021 import weighing
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import known
from nfnets_am.models import norms
from nfnets_am.optim import penalties
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.training import sections

_FOLDER = pathlib.Path('experiments/summers2021')
_RUNS = {'table4_1': 9, 'figure4_3': 21, 'figure4_5': 46}


def _config(name, cell):
  return sections.complete(experiment_file.get_config(f'{_FOLDER / name}.py:{cell}'))


@pytest.mark.parametrize('name', _RUNS)
@pytest.mark.parametrize('scale', ['full', 'smoke'])
def test_every_cell_is_a_config_with_a_norm_that_can_be_read(name, scale):
  sweep = experiment_file.get_sweep(_FOLDER / f'{name}.py', scale)
  assert scale == 'smoke' or len(sweep.cells) == _RUNS[name]
  for cell in sweep.cells:
    config = _config(name, cells_lib.cell_name(cell))
    schema.validate(config)
    penalties.parse(config.penalty)
    # A norm cuts its groups to the rows that there are, which small scales make use of.
    most = config.views if scale == 'full' else 16
    assert (getattr(norms.parse(config.model.norm), 'rows', None) or 1) <= most


def test_splits_are_those_of_the_thesis():
  for data, train, validation in (('cifar100', 40_000, 10_000), ('svhn', 483_510, 120_878)):
    config = _config('figure4_3', f'data={data},size=16')
    assert known.KNOWN[data].train_images - config.data.validation == train
    assert config.data.validation == validation
    assert ('flip' in config.data.augment) == (data == 'cifar100')
  config = _config('figure4_3', 'data=caltech256,size=16')
  assert config.data.split == 'per_class(train=40, validation=10, test=30)'
  assert config.data.leave_out == ('257.clutter',)


def test_rows_of_table_4_1():
  config = _config('table4_1', 'method=ghost,size=16')
  assert config.model.norm == "ghost(size=16, decay=0.99, variance='squares')"
  assert (config.views, config.order.to_dict()) == (128, {'name': 'class_batches', 'classes': 4})
  assert config.budget == '85954 updates' and config.data.set == 'cifar100'
  assert {part.split for part in config.evals.values() if part.name == 'example_weighing'} == {
      'test', 'validation'}
  assert config.penalty == "l2(coefficient=0.0005, mask='kernels')"
  assert _config('table4_1', 'method=batch_group,size=2').model.norm == (
      'batch_group(groups=32, examples=2)')


@pytest.mark.parametrize('x, norm', [
    (1, 'group(groups=32)'), (2, 'batch_group(groups=32, examples=2)'), (4, 'ghost(size=2, '),
    (16, 'ghost(size=8, '), (128, 'ghost(size=16, ')])
def test_batches_of_all_sizes_see_as_many_images(x, norm):
  config = _config('figure4_5', f'method=ours,x={x}')
  assert config.model.norm.startswith(norm)
  assert config.views == x and config.schedule.peak == 0.1 * x / 128
  assert int(config.budget.split()[0]) * x == 85_954 * 128
  assert [b * x for b in config.schedule.boundaries] == [b * 128 for b in (400, 32_000, 48_000,
                                                                          70_000)]
  assert 'towards(' in config.penalty and 'norm_offset' in config.penalty
  caltech = _config('figure4_5', f'data=caltech256,method=group,x={x}')
  assert caltech.schedule.peak == pytest.approx(0.03 * x / 64)
  assert caltech.schedule.warmup == f'{2000 * 64 // x} updates'
  assert 'towards(' not in caltech.penalty


def _results(values):
  """Results of Table 4.1 whose rows have (validation, test) by alpha."""
  sweep = table4_1.get_sweep()
  cells = []
  for cell in sweep.cells:
    key = {'method': cell['method'], 'size': cell['size']}
    off, on = values[cell['method'], cell['size']]
    # Validation is best at 0.1; a still better test number elsewhere must not be taken.
    of = lambda alpha, off=off, on=on: on if alpha == 0.1 else off
    final = {name: of(alpha) / 100 for name, alpha in zip(
        weighing.METRICS, weighing.ALPHAS, strict=True)}
    final |= {name: of(alpha) / 100 - 0.01 for name, alpha in zip(
        weighing.CHOSEN_BY, weighing.ALPHAS, strict=True)}
    final[weighing.TOP1.at(1.0)] = 0.99
    run = outcomes.RunResult(dict(cell), 'finished', '', {}, final)
    summaries = {name: dataclasses.replace(reduction.summarise([value], name), examples=10_000)
                 for name, value in final.items()}
    cells.append(reduction.Cell(key, (run,), summaries,
                                {name: s.mean for name, s in summaries.items()}))
  return reduction.Results(sweep, tuple(cells))


def test_claims_choose_alpha_on_the_validation_images():
  printed = dict(zip(table4_1.ROWS, ((40.1, 62.2), (69.0, 69.0), (42.3, 50.8), (57.8, 70.9),
                                     (64.3, 72.2), (68.7, 72.0), (70.4, 71.5), (68.4, 71.4),
                                     (75.2, 76.1)), strict=True))
  verdicts = lambda values: [claim.check(results).outcome for results in [_results(values)]
                             for claim in results.sweep.claims]
  # What is within two errors of 10,000 test images is not resolved: the printed 69.0 and 69.0.
  holds, fails, unclear = paper.HOLDS, paper.FAILS, paper.OPEN
  assert verdicts(printed) == [holds, unclear, holds, holds]
  assert verdicts({**printed, ('batch', 128): (40.1, 45.0)}) == [fails, unclear, holds, holds]
  assert verdicts({**printed, ('renorm', 128): (69.0, 75.0)})[:3] == [holds, fails, fails]
  assert verdicts({**printed, ('ghost', 16): (64.3, 79.0)}) == [holds, unclear, holds, fails]
  # The numbers of the table stand in the file of the thesis' numbers.
  sweep = table4_1.get_sweep()
  assert {(n.cell['method'], n.cell['size']): n.value for n in sweep.numbers} == {
      key: off for key, (off, _) in printed.items()}
  assert {n.metric for n in sweep.numbers} == {'weighed/top1@0'}


def test_wrong_cells_are_refused_in_a_sentence():
  for name, cell, words in (('table4_1', 'method=gost', 'did you mean'),
                            ('figure4_3', 'data=mnist', "data='mnist'; allowed: cifar100"),
                            ('figure4_5', 'method=theirs', "method='theirs'; allowed: ours"),
                            ('figure4_5', 'x=3', 'x=3; allowed: 1, 2')):
    with pytest.raises(errors.ConfigError, match=words):
      experiment_file.get_config(f'{_FOLDER / name}.py:{cell}')
  with pytest.raises(errors.ConfigError, match='did you mean'):
    norm_recipes.norm('bach')
