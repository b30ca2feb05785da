"""Configs: what is refused, and with which sentence."""

import json

import ml_collections
import pytest

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.config import seeds
from nfnets_am.core import errors
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections


def _config(**values):
  return sections.override(schema.get_default(), {'unique': 16, **values})


def test_the_default_needs_only_a_batch():
  schema.validate(_config())


@pytest.mark.parametrize('values, words', [
    ({'unique': 0}, ['unique=0', 'views=0', 'exactly one']),
    ({'views': 64}, ['unique=16', 'views=64', 'exactly one']),
    ({'unique': 0, 'views': 64, 'multiplicity': 3}, ['multiplicity=3', 'views=64', '63']),
    ({'unique': 0, 'views': 2, 'multiplicity': 3}, ['multiplicity=3', 'views=2', 'views=3']),
    ({'multiplicity': -1}, ['multiplicity=-1', 'from 0']),
    ({'neighbouring': True}, ['neighbouring', 'views']),
    ({'unique': 0, 'views': 8, 'neighbouring': True, 'multiplicity': 0}, ['multiplicity=0']),
    ({'data.apply': 'gpu'}, ["data.apply='gpu'", "'host' or 'device'"]),
    ({'data.layout': 'rows'}, ["data.layout='rows'", 'image_major']),
    ({'backend': 'jit'}, ["backend='jit'", 'pmap']),
    ({'dtype': 'float16'}, ["dtype='float16'", 'bfloat16']),
    ({'budget': '10'}, ["budget='10'", 'epochs']),
    ({'budget': '10 days'}, ["budget='10 days'", 'updates']),
    ({'budget': '0 epochs'}, ["budget='0 epochs'", 'more than nothing']),
    ({'evals.test.split': 'tests'}, ["'tests'", 'validation']),
    ({'evals.test.split': 'validation'}, ['data.validation is 0']),
    ({'evals.test.every': '3 weeks'}, ["evals.test.every='3 weeks'", 'updates']),
    ({'evals.test.most': -1}, ['evals.test.most=-1', '0 or more']),
    ({'ema': 1.0}, ['ema=1.0']),
    ({'ascent.name': 'sam', 'ascent.rho': 0.05, 'ascent.fraction': 0.0}, ['ascent.fraction=0.0']),
    ({'penalty': 'l2(coefficient=-1.0)'}, ['l2', 'coefficient is -1.0']),
    ({'accumulate': 0}, ['accumulate=0']),
    ({'checkpoint.at': ('5 epochs', '0 updates')}, ["checkpoint.at[1]='0 updates'", 'more than']),
    ({'checkpoint.best': 'train/top1'}, ["checkpoint.best='train/top1'", 'test']),
    ({'checkpoint.best': 'test/images'}, ["'test/images'", 'allowed: ']),
    ({'checkpoint.best': 'test/ema_top1'}, ["'test/ema_top1' is not measured", 'test/top5', 'ema']),
    ({'checkpoint.best': 'test/perplexity'}, ['is not measured', 'allowed: test/loss, test/top1']),
    ({'schedule.peak': -0.1}, ['peak is -0.1', 'at least 0']),
    ({'schedule.peak': float('nan')}, ['peak is nan']),
    ({'schedule.peak': float('inf')}, ['peak is inf']),
    ({'optimizer.weight_decay': -1e-4}, ['optimizer.weight_decay=-0.0001', 'at least 0']),
    ({'optimizer.weight_decay': float('inf')}, ['optimizer.weight_decay=inf']),
    ({'optimizer.momentum': float('nan')}, ['optimizer.momentum=nan']),
    ({'model.name': 'nf_resnet50', 'model.activation': 'relo'}, ["'relo'", "did you mean 'relu'"]),
    ({'checkpoint.best': 'test/topp1'}, ["'test/topp1'", "did you mean 'top1'"]),
    ({'reseed.epoch': -1}, ['reseed.epoch=-1', 'from 0']),
])
def test_bad_values_are_refused_in_one_sentence(values, words):
  with pytest.raises(errors.ConfigError) as e:
    run_lib.build(_config(**values))
  assert '\n' not in str(e.value) and len(str(e.value)) < 300
  for word in words:
    assert word in str(e.value)


def test_a_bad_value_of_a_known_set_is_refused_before_the_set_is_opened(tmp_path):
  changes = {'data.set': 'cifar10', 'data.data_dir': str(tmp_path / 'none'), 'schedule.peak': -0.1}
  with pytest.raises(errors.ConfigError, match='peak is -0.1'):
    run_lib.build(_config(**changes))


def test_neighbouring_needs_no_divisor():
  schema.validate(_config(unique=0, views=64, multiplicity=3, neighbouring=True))


def test_an_experiment_file_cannot_add_a_key():
  config = schema.get_default()
  with pytest.raises(AttributeError, match='multiplicity'):
    config.multiplicty = 4


def test_a_key_that_the_named_entry_does_not_take_is_refused():
  config = schema.get_default()
  config.clip = ml_collections.ConfigDict({'name': 'agc', 'clip': 0.01, 'epz': 0.5})
  with pytest.raises(errors.ConfigError) as e:
    sections.complete(config)
  assert str(e.value) == (
      "clip.epz=0.5: the clip 'agc' has no key 'epz' (did you mean 'eps'?); allowed: clip, eps")
  # Of an entry that does nothing, every key is one that nothing would read.
  config.clip = ml_collections.ConfigDict({'name': 'none', 'eps': 0.5})
  with pytest.raises(errors.ConfigError, match="clip.eps=0.5: the clip 'none' has no key 'eps'; "
                     'allowed: none'):
    sections.complete(config)
  config.clip = ml_collections.ConfigDict({'name': 'agc', 'clip': 0.01, 'eps': 0.5})
  assert sections.complete(config).clip.eps == 0.5


def test_a_model_has_the_arguments_that_are_its_own():
  config = _config()
  config.model = ml_collections.ConfigDict({'name': 'wide_resnet_tiny', 'depht': 10})
  with pytest.raises(errors.ConfigError, match="model.depht=10: the model 'wide_resnet_tiny'"):
    sections.complete(config)
  config.model = ml_collections.ConfigDict({'name': 'wide_resnet', 'depth': 10})
  assert sections.complete(config).model.depth == 10


def test_one_seed_for_all_or_each_its_own():
  config = _config(seed=7)
  assert seeds.of(config) == seeds.Seeds(init=7, shuffle=7, augment=7, noise=7, attack=7)
  config.seeds.shuffle = 0
  assert seeds.of(config) == seeds.Seeds(init=7, shuffle=0, augment=7, noise=7, attack=7)


def test_a_source_takes_its_second_seed_from_a_pass_on():
  found = seeds.of(_config(seed=7, **{'reseed.epoch': 3, 'reseed.shuffle': 9}))
  assert [found.at('shuffle', epoch) for epoch in (-1, 0, 2, 3, 50)] == [7, 7, 7, 9, 9]
  assert [found.at('noise', epoch) for epoch in (0, 3)] == [7, 7]


def test_a_config_comes_back_from_json():
  config = schema.get_default()
  config.unique = 16
  config.evals.train = ml_collections.ConfigDict({'name': 'accuracy', 'split': 'train', 'most': 1})
  config.checkpoint.at = ('1 epochs', '2 epochs')
  config.seeds.noise = 3
  config.model = ml_collections.ConfigDict({'name': 'wide_resnet', 'depth': 10})
  config.schedule = ml_collections.ConfigDict({'name': 'halving', 'peak': 0.5, 'start': 0.5})
  sections.complete(config)
  flat = identity.to_json(config)
  assert json.loads(json.dumps(flat)) == flat and flat['checkpoint.at'] == ['1 epochs', '2 epochs']
  back = sections.from_json(flat)
  assert back.to_dict() == config.to_dict() and back.is_locked
  # What is not said has its default; a section that is said has no keys of another entry.
  part = sections.from_json({'model.name': 'wide_resnet_tiny', 'ema': 0.9})
  assert (part.model.name, part.ema) == ('wide_resnet_tiny', 0.9)
  assert set(part.model) - {'name'} == set(sections.keys_of('model', 'wide_resnet_tiny'))
  assert part.schedule.to_dict() == sections.complete(schema.get_default()).schedule.to_dict()
  # Evaluations that are said are all there are.
  assert set(sections.from_json({'evals.train.name': 'accuracy'}).evals) == {'train'}


def test_cells_are_read_by_the_types_of_their_defaults():
  defaults = {'multiplicity': 1, 'peak': 0.1, 'scale': 'full'}
  cell = cells_lib.parse_cell('peak=0.05,multiplicity=16', defaults)
  assert cell == {'multiplicity': 16, 'peak': 0.05, 'scale': 'full'}
  assert cells_lib.parse_cell(cells_lib.cell_name(cell), defaults) == cell
  with pytest.raises(errors.ConfigError, match="'peek' .did you mean 'peak'"):
    cells_lib.parse_cell('peek=1', defaults)
  with pytest.raises(errors.ConfigError, match='multiplicity is of type int'):
    cells_lib.parse_cell('multiplicity=four', defaults)
