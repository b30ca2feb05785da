"""Table 2 on text: columns in numbers, real steps that trace, and claims in three worlds."""

import types

import jax
import numpy as np
import pytest

from experiments.hoffer2020 import recipes
from nfnets_am.config import derived as derived_lib
from nfnets_am.data.text import corpora
from nfnets_am.data.text import corpus
from nfnets_am.data.text import lengths
from nfnets_am.data.text import pair_sets
from nfnets_am.data.text import translation
from nfnets_am.optim import schedules
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections
from nfnets_am.training import step as step_lib
from tests.experiments.hoffer2020 import worlds

_PATH = 'experiments/hoffer2020/{}.py'
_PARAMETERS = {'table2_ptb': 24_221_600, 'table2_wmt16': 63_119_496}


def _config(name, column):
  return sections.complete(experiment_file.get_config(f'{_PATH.format(name)}:column={column}'))


def _input(config):
  """An input of the real sizes, of words that are all the same."""
  if config.data.name == 'corpus':
    words = types.SimpleNamespace(size=10_000, eos=1)
    law = lengths.Law(config.data.segment, config.data.halved, config.data.deviation)
    return corpus.CorpusInput(
        corpora.Corpus('ptb', words, {'train': np.zeros(929_589, np.int32)}), law,
        layout=config.data.layout, host_group=1)
  words = types.SimpleNamespace(size=37_000, bos=1, eos=2)
  many = pair_sets.Sentences(np.zeros(127 * 400, np.uint16), 127 * np.arange(1, 401))
  pairs = pair_sets.PairSet('wmt', words, {'train': pair_sets.Pairs(many, many, ())})
  return translation.TranslationInput(
      pairs, longest=config.data.longest, buckets=config.data.buckets,
      multiple=config.data.multiple, layout=config.data.layout, host_group=1)


def _of_device(x):
  return jax.ShapeDtypeStruct((1, *x.shape), x.dtype)


def _derive(config, dataset):
  return derived_lib.derive(
      config, train_images=dataset.facts.train_examples, pass_of=dataset.facts.pass_of)


@pytest.mark.parametrize('name', _PARAMETERS)
def test_the_step_traces_at_full_size(name):
  """That of the most rows; the other columns' differ from it in their number alone."""
  config = _config(name, 'ba')
  dataset = _input(config)
  derived = _derive(config, dataset)
  made = step_lib.make_experiment(config, derived, dataset.facts, dataset.preparation)
  state = jax.eval_shape(made.init)
  state = state._replace(carry=jax.tree.map(_of_device, state.carry))
  assert sum(x.size for x in jax.tree.leaves(state.params)) == _PARAMETERS[name]
  # An update of sentences has as many rows as its tokens allow at the width of its bucket.
  rows = derived.views if name == 'table2_ptb' else derived.views // dataset.facts.row_shape[0]
  assert rows == {'table2_ptb': 200, 'table2_wmt16': 128}[name]
  batch = jax.tree.map(_of_device, dataset.preparation.batch_spec(rows))
  after, metrics = jax.eval_shape(
      step_lib.map_train_step(made, 'pmap'), state,
      jax.eval_shape(made.numbers, state.update), None, batch)
  like = lambda tree: jax.tree.map(lambda x: (x.shape, x.dtype), tree)
  assert like(after) == like(state) and 'loss' in metrics


def test_columns_make_as_many_updates_and_are_evaluated_as_often():
  dataset = _input(_config('table2_ptb', 'ba'))
  found = {column: (config := _config('table2_ptb', column), _derive(config, dataset))
           for column in recipes.COLUMNS}
  rows = [(derived.unique, derived.copies, derived.views) for _, derived in found.values()]
  assert rows == [(20, 1, 20), (200, 1, 200), (20, 10, 200)]
  updates = [derived.updates for _, derived in found.values()]
  # An epoch of segments of 67.9 words in the mean.
  assert updates == [updates[0]] * 3
  assert updates[0] == pytest.approx(500 * 929_589 / 20 / 67.9, 0.02)
  assert len({derived.eval_every for _, derived in found.values()}) == 1
  assert len({derived.checkpoint_every for _, derived in found.values()}) == 1
  (first, _), *others = found.values()
  for config, _ in others:
    for part in ('model', 'objective', 'clip', 'optimizer', 'schedule', 'evals', 'data'):
      assert config[part].to_dict() == first[part].to_dict()


def test_the_rate_of_the_transformer_is_that_of_its_paper():
  config = _config('table2_wmt16', 'ba')
  keys = config.schedule.to_dict()
  rate = schedules.SCHEDULES.make(keys.pop('name'), keys.pop('peak'), 100_000, **keys)
  for t in (0, 100, 3_999, 4_000, 99_999):
    s = t + 1
    assert float(rate(t)) == pytest.approx(512**-0.5 * min(s**-0.5, s * 4000**-1.5), rel=1e-5)
  assert [_config('table2_wmt16', column).unique for column in recipes.COLUMNS] == [
      4096, 16_384, 4096]


@pytest.mark.parametrize('name, metric, sign', [
    ('table2_ptb', 'test/ema_perplexity', -1), ('table2_wmt16', 'test/bleu', 1)])
def test_claims_are_true_false_and_undecidable(name, metric, sign):
  for column in recipes.BASELINES:
    text = f'Batch augmentation has...{column.removeprefix("fixed_")}.'
    world = lambda gap: lambda cell: {metric: 50 + sign * gap * (cell['column'] == 'ba')}
    found = tuple(worlds.verdict(name, text, world(gap)) for gap in (0.2, -0.2, 0.0005))
    assert found == worlds.OUTCOMES
