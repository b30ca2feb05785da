"""Configs: what is refused, and with which sentence."""

import json

import ml_collections
import pytest

from nfnets_am.config import cells as cells_lib
from nfnets_am.config import identity
from nfnets_am.config import reading
from nfnets_am.config import schema
from nfnets_am.core import errors


def _config(**values):
  config = schema.get_default()
  config.unique = 16
  config.update_from_flattened_dict(values)
  return config


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
    ({'eval.splits': ('tests',)}, ["'tests'", 'validation']),
    ({'eval.splits': ('validation',)}, ['data.validation is 0']),
    ({'ema': 1.0}, ['ema=1.0']),
    ({'sam.fraction': 0.0}, ['sam.fraction=0.0']),
    ({'optimizer.l2': -1.0}, ['optimizer.l2=-1.0']),
    ({'accumulate': 0}, ['accumulate=0']),
    ({'checkpoint.best': 'train/top1'}, ["checkpoint.best='train/top1'", 'test']),
])
def test_bad_values_are_refused_in_one_sentence(values, words):
  with pytest.raises(errors.ConfigError) as e:
    schema.validate(_config(**values))
  assert '\n' not in str(e.value)
  for word in words:
    assert word in str(e.value)


def test_neighbouring_needs_no_divisor():
  schema.validate(_config(unique=0, views=64, multiplicity=3, neighbouring=True))


def test_an_experiment_file_cannot_add_a_key():
  config = schema.get_default()
  with pytest.raises(AttributeError, match='multiplicity'):
    config.multiplicty = 4


def test_a_key_that_is_set_and_not_read_is_refused():
  config = _config(**{'optimizer.agc_eps': 0.5})
  read = reading.ReadConfig(config)
  assert read.multiplicity == 1 and read.unique == 16
  with pytest.raises(errors.ConfigError, match='optimizer.agc_eps=0.5.*nothing reads it'):
    read.refuse_unread()
  assert read.optimizer.agc_eps == 0.5
  read.refuse_unread()


def test_a_section_with_arguments_counts_as_read_by_its_reader():
  config = _config()
  config.model = ml_collections.ConfigDict({'name': 'wide_resnet', 'depth': 10})
  read = reading.ReadConfig(config)
  assert read.unique == 16
  with pytest.raises(errors.ConfigError, match='model.depth=10'):
    read.refuse_unread()
  assert read.model.kwargs() == {'name': 'wide_resnet', 'depth': 10}
  read.refuse_unread()


def test_one_seed_for_all_or_each_its_own():
  config = _config(seed=7)
  assert reading.seeds(reading.ReadConfig(config)) == dict.fromkeys(
      ('init', 'shuffle', 'augment', 'noise'), 7)
  config.seeds.shuffle = 0
  assert reading.seeds(reading.ReadConfig(config)) == {
      'init': 7, 'shuffle': 0, 'augment': 7, 'noise': 7}


def test_a_config_comes_back_from_json():
  config = _config(**{'eval.splits': ('test', 'train'), 'seeds.noise': 3})
  config.model = ml_collections.ConfigDict({'name': 'wide_resnet', 'depth': 10})
  config.schedule = ml_collections.ConfigDict({'name': 'halving', 'peak': 0.5, 'start': 0.5})
  flat = identity.to_json(config)
  assert json.loads(json.dumps(flat)) == flat and flat['eval.splits'] == ['test', 'train']
  back = identity.from_json(flat)
  assert back.to_dict() == config.to_dict() and back.is_locked
  # What is not said has its default; a section that is said has no other keys.
  part = identity.from_json({'model.name': 'wide_resnet_tiny', 'ema': 0.9})
  assert (part.model.to_dict(), part.ema) == ({'name': 'wide_resnet_tiny'}, 0.9)
  assert part.schedule.to_dict() == schema.get_default().schedule.to_dict()


def test_cells_are_read_by_the_types_of_their_defaults():
  defaults = {'multiplicity': 1, 'peak': 0.1, 'scale': 'full'}
  cell = cells_lib.parse_cell('peak=0.05,multiplicity=16', defaults)
  assert cell == {'multiplicity': 16, 'peak': 0.05, 'scale': 'full'}
  assert cells_lib.parse_cell(cells_lib.cell_name(cell), defaults) == cell
  with pytest.raises(errors.ConfigError, match="'peek' .did you mean 'peak'"):
    cells_lib.parse_cell('peek=1', defaults)
  with pytest.raises(errors.ConfigError, match='multiplicity is of type int'):
    cells_lib.parse_cell('multiplicity=four', defaults)
