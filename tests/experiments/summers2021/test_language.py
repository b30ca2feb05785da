"""Tables 5.2 and B.3 of Summers 2021: sources, real step, cells, claims, from runs to report."""

import types

import jax
import numpy as np
import pytest

from experiments.summers2021 import language
from nfnets_am import analysis
from nfnets_am.analysis import measures
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.config import seeds
from nfnets_am.core import errors
from nfnets_am.data.text import corpora
from nfnets_am.data.text import corpus
from nfnets_am.data.text import lengths
from nfnets_am.reporting import pages
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import paper
from nfnets_am.sweeps import reduction
from nfnets_am.training import loop
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib

_PATH = 'experiments/summers2021/{}.py'


def _config(cell):
  return sections.complete(language.get_config(cell))


@pytest.mark.parametrize('source, free', [
    ('init', {'init'}), ('stochastic', {'shuffle', 'noise'}), ('all', {'init', 'shuffle', 'noise'}),
    ('bit', set())])
def test_a_source_moves_its_own_seeds_alone(source, free):
  config = _config(f'source={source},seed=7')
  found = seeds.of(config)
  assert {name: getattr(found, name) for name in schema.SEEDS} == {
      name: 7 if name in free else 0 for name in schema.SEEDS}
  assert config.start.bit_change == (7 if source == 'bit' else -1)


@pytest.mark.parametrize('cycles', [1, 5])
def test_the_step_traces_at_full_size(cycles):
  config = _config(f'source=bit,cycles={cycles}')
  law = lengths.Law(config.data.segment, config.data.halved, config.data.deviation)
  dataset = corpus.CorpusInput(
      corpora.Corpus('ptb', types.SimpleNamespace(size=10_000, eos=1),
                     {'train': np.zeros(929_589, np.int32)}), law, layout='image_major',
      host_group=1)
  derived = derived_lib.derive(config, train_images=dataset.facts.train_examples)
  made = step_lib.make_experiment(config, derived, dataset.facts, dataset.preparation)
  of_device = lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype)
  state = jax.eval_shape(made.init)
  state = state._replace(carry=jax.tree.map(of_device, state.carry))
  assert sum(x.size for x in jax.tree.leaves(state.params)) == 4_539_920
  # Two words of 256 features each, in the layer of which a bit changes.
  assert state.params[config.start.bit_change_in]['w'].shape == (512, 3 * 512)
  batch = jax.tree.map(of_device, dataset.preparation.batch_spec(20))
  after, _ = jax.eval_shape(step_lib.map_train_step(made, 'pmap'), state,
                            jax.eval_shape(made.numbers, state.update), None, batch)
  like = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
  assert like(after) == like(state)


@pytest.mark.parametrize('table, runs, rows', [('table5_2', 400, 4), ('tableB_3', 400, 4)])
def test_cells_are_runs_and_rows_that_measure_all_of_them(table, runs, rows):
  sweep = experiment_file.get_sweep(_PATH.format(table))
  every = experiment_file.get_runs(_PATH.format(table), sweep)
  measured = [run for run in every if run.config.measure]
  assert (len({run.name for run in every}), len(measured)) == (runs + rows, rows)
  assert every[runs:] == measured and all('count=100' in run.config.measure for run in measured)
  for number in sweep.numbers:
    assert sum(paper.matches(run.cell, number.cell) for run in measured) == 1, number


def test_the_first_hundred_runs_of_table_b_3_are_those_of_table_5_2():
  names = [{run.name for run in experiment_file.get_runs(path, experiment_file.get_sweep(path))}
           for path in map(_PATH.format, ('table5_2', 'tableB_3'))]
  assert len(names[0] & names[1]) == 101


def test_what_is_not_of_the_tables_is_refused():
  for cell, words in (('source=cudnn', "source='cudnn'; allowed: 'init'"), ('row=flip', "row='f"),
                      ('cycles=2', 'cycles=2; allowed: 1, 5'), ('scale=tiny', "scale='tiny'")):
    with pytest.raises(errors.ConfigError, match=words):
      language.get_config(cell)
  with pytest.raises(errors.ConfigError, match="scale='tiny'"):
    experiment_file.get_sweep(_PATH.format('table5_2'), 'tiny')


class _Reader:
  """In the place of outcomes.Reader: rows as a function of their cells."""

  def __init__(self, world):
    self._world = world

  def read(self, run):
    final = self._world(run.cell) if run.cell['row'] else {'test/perplexity': 75.0}
    return outcomes.RunResult(run.cell, 'finished', derived={'views': 20, 'updates': 9}, final={
        f'single/{key}' if run.cell['row'] else key: value for key, value in final.items()})


def _outcomes(table, world):
  sweep = experiment_file.get_sweep(_PATH.format(table))
  runs = [experiment_file.Run(cell, str(i), (), None) for i, cell in enumerate(sweep.cells)]
  results = reduction.reduce(sweep, runs, _Reader(world))
  return [claim.check(results).outcome for claim in sweep.claims]


def _row(perplexity=75.0, deviation=0.2, disagreement=0.174, error=0.01):
  return {'perplexity': perplexity, 'perplexity_sd': deviation, 'perplexity_sd_error': error,
          'disagreement': disagreement, 'models': 100, 'tokens': 8400}


def test_claims_of_table_5_2_are_true_false_and_undecidable():
  sources = {'init': 0.2, 'stochastic': 0.19, 'all': 0.18, 'bit': 0.19}
  world = lambda error=0.01, **changes: lambda cell: _row(
      deviation=(sources | changes)[cell['source']], error=error)
  assert _outcomes('table5_2', world()) == [paper.HOLDS] * 2
  assert _outcomes('table5_2', world(stochastic=0.4)) == [paper.FAILS, paper.HOLDS]
  assert _outcomes('table5_2', world(bit=0.0)) == [paper.HOLDS, paper.FAILS]
  assert _outcomes('table5_2', world(error=0.1)) == [paper.OPEN] * 2


def test_claims_of_table_b_3_are_true_false_and_undecidable():
  world = lambda one, five: lambda cell: _row(*(one if cell['cycles'] == 1 else five))
  plain, cyclic = (73.0, 0.18, 0.174), (75.0, 0.21, 0.137)
  assert _outcomes('tableB_3', world(plain, cyclic)) == [paper.HOLDS] * 2
  assert _outcomes('tableB_3', world(cyclic, plain)) == [paper.FAILS] * 2
  assert _outcomes('tableB_3', world(plain, (73.01, 0.18, 0.173))) == [paper.OPEN] * 2


@pytest.mark.slow
def test_table_b_3_from_its_runs_to_its_report(tmp_path):
  path = _PATH.format('tableB_3')
  sweep = experiment_file.get_sweep(path, 'smoke')
  runs = experiment_file.get_runs(path, sweep)
  assert len(runs) == 2 * 2 + 2
  for run in runs:
    if not run.config.measure:
      assert loop.train(run.config, tmp_path / run.name)['status'] == 'finished'
  for run in runs:
    if run.config.measure:
      measures.measure(run.config, tmp_path / run.name, analysis.MEASURES)
  results = reduction.reduce(sweep, runs, outcomes.Reader(tmp_path))
  for cycles in (1, 5):
    found = results.best({'row': 'single', 'cycles': cycles}).runs[0].final
    assert found['single/models'] == 2 and found['single/tokens'] == 80
    assert found['single/perplexity_sd'] > 0 and found['single/perplexity_delta'] < 0
  pages.write(results, tmp_path, 'report', 'the command')
  page = (tmp_path / 'report.md').read_text()
  assert '13.7' in page and 'smoke runs' in page
