"""Tables 3.1, 3.3 and 3.5: the protocol in numbers, printed values, claims, and small rows."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.summers2021 import robust
from nfnets_am import attacks
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import facts
from nfnets_am.data import hand_over
from nfnets_am.data import ops
from nfnets_am.data import preparation
from nfnets_am.reporting import pages
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.training import loop
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib

# Images, classes, parameters, epsilon.
_TABLES = {'table3_1': (50_000, 10, 181_850, 0.03), 'table3_3': (50_000, 100, 187_700, 0.03),
           'table3_5': (604_388, 10, 75_290, 12 / 255)}
_METRICS = ('test', 'fgsm', 'pgd5', 'pgd10', 'pgd20')
# By hand from Table 3.1.
_PRINTED = {'regular': (87.4, 6.1, 0, 0, 0), 'label_smoothing': (86.9, 54.7, 49.4, 41.7, 34.4),
            'pgd': (75.8, 50.5, 51.0, 46.1, 45.3), 'alp': (74.0, 52.6, 53.6, 49.1, 48.5),
            'lrm': (68.5, 52.8, 53.8, 51.4, 51.0)}


def _path(name):
  return f'experiments/summers2021/{name}.py'


def _config(name, method):
  return sections.complete(experiment_file.get_config(f'{_path(name)}:method={method}'))


@pytest.mark.parametrize('name', _TABLES)
def test_every_row_is_a_step_at_full_size(name):
  images, classes, parameters, epsilon = _TABLES[name]
  for method in robust.METHODS:
    config = _config(name, method)
    schema.validate(config)
    derived = derived_lib.derive(config, train_images=images)
    prepare = preparation.ImagePreparation(
        ops.parse(config.data.augment).bind((0.5,) * 3, (0.5,) * 3), hand_over.HandOver(),
        (32, 32, 3), on_device=True)
    made = step_lib.make_experiment(
        config, derived, facts.Facts(images, classes, (32, 32, 3)), prepare)
    assert made.attacks == (method in robust.ROBUST)
    state = jax.eval_shape(made.init)
    assert sum(x.size for x in jax.tree.leaves(state.params)) == parameters
    epochs = 101 if made.attacks or name == 'table3_5' else 200
    assert derived.updates == pytest.approx(epochs * images / 128, abs=epochs)
    rates = [float(made.schedule(int(epoch * images / 128)))
             for epoch in (0, 2.5, 6, 79, 99, 101)]
    assert rates == pytest.approx(
        [0.001, 0.001, 0.01, 0.01, 0.001, 0.001] if name == 'table3_5'
        else [0, 0.05, 0.1, 0.1, 0.1, 0.01], rel=0.01, abs=1e-4)
    for part in config.evals.values():
      assert part.name == 'accuracy' or part.epsilon == pytest.approx(epsilon)
    if made.attacks:
      assert attacks.parse(config.objective.attack).epsilon == pytest.approx(epsilon)
    assert ('mix' in config.data.augment) == (method == 'lrm')
  # The last is LRM, with terms and mixed rows of all kinds.
  batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype),
                       prepare.batch_spec(128))
  after, metrics = jax.eval_shape(
      step_lib.map_train_step(made, 'pmap'), state, jax.eval_shape(made.numbers, state.update),
      jax.ShapeDtypeStruct((images, 32, 32, 3), jnp.uint8), batch)
  assert jax.tree.map(lambda x: x.shape, after) == jax.tree.map(lambda x: x.shape, state)
  assert set(metrics) == {'loss', 'top1', 'pairing', 'learning_rate'}


def _results(sweep, accuracies):
  cells = []
  for cell in sweep.cells:
    values = {f'{name}/top1': value / 100 for name, value in zip(
        _METRICS, accuracies[cell['method']], strict=True)}
    run = outcomes.RunResult(cell, 'finished', '', {}, values)
    summaries = {name: dataclasses.replace(reduction.summarise([value], name), examples=10_000)
                 for name, value in values.items()}
    cells.append(reduction.Cell({'method': cell['method']}, (run,), summaries, values))
  return reduction.Results(sweep, tuple(cells))


def test_the_printed_numbers_hold_what_the_text_says_and_others_do_not():
  sweep = experiment_file.get_sweep(_path('table3_1'), 'full')
  found = {(number.cell['method'], number.metric): number.value for number in sweep.numbers}
  assert found == {(method, f'{name}/top1'): value for method, row in _PRINTED.items()
                   for name, value in zip(_METRICS, row, strict=True)}
  verdicts = lambda values: [c.check(_results(sweep, values)).outcome for c in sweep.claims]
  # The printed LRM leads by 0.2 points under PGD-5: not resolved by 10,000 test images.
  assert verdicts(_PRINTED) == [paper.OPEN] + [paper.HOLDS] * 3
  clear = {**_PRINTED, 'lrm': (68.5, 58, 58, 57, 56)}
  assert verdicts(clear) == [paper.HOLDS] * 4
  others = {**_PRINTED, 'lrm': (90, 52.8, 40, 39, 38), 'label_smoothing': (86.9, 5, 0, 0, 0)}
  assert verdicts(others) == [paper.FAILS, paper.HOLDS, paper.FAILS, paper.FAILS]
  for name in ('table3_3', 'table3_5'):
    assert len(experiment_file.get_sweep(_path(name), 'full').numbers) == 25


def test_a_wrong_cell_is_one_sentence():
  for cell, sentence in (('method=lmr', "method='lmr'; allowed: regular, label_smoothing"),
                         ('scale=tiny', "scale='tiny'; allowed: full, smoke")):
    with pytest.raises(errors.ConfigError, match=sentence):
      experiment_file.get_config(f'{_path("table3_1")}:{cell}')


@pytest.mark.slow
def test_a_small_table_is_trained_and_reported(tmp_path):
  path = _path('table3_5')
  sweep = experiment_file.get_sweep(path, 'smoke')
  runs = [run for run in experiment_file.get_runs(path, sweep)
          if run.cell['method'] in ('label_smoothing', 'lrm')]
  assert len(runs) == 2
  for run in runs:
    assert loop.train(run.config, tmp_path / run.name)['status'] == 'finished'
  results = reduction.reduce(sweep, runs, outcomes.Reader(tmp_path))
  for cell in results.cells:
    means = [cell.summaries[f'{name}/top1'].mean for name in _METRICS]
    assert np.isfinite(means).all()
  pages.write(results, tmp_path, 'report', 'the command')
  page = (tmp_path / 'report.md').read_text()
  assert '38.6' in page and 'smoke runs' in page
