"""What a run is called: five names are pinned, so that whoever changes a default sees it here."""

import ml_collections
import pytest

from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections

_NAMES = {
    'quickstart.py:multiplicity=4': 'wide_resnet-n4-seed0-c74b2e6ff6',
    'fort2021/figure2.py': 'wide_resnet-n1-seed0-b87a2d0cbc',
    'fort2021/figure3.py': 'nf_resnet50-n1-seed0-ee5ae514ff',
    'fort2021/table1.py': 'nfnet_f2-n1-seed0-a85aec3de2',
    'fort2021/small.py': 'wide_resnet-n1-seed0-cdf3b5b1ab',
}


def _name(cell, **overrides):
  return sections.run_name(experiment_file.get_config(f'experiments/{cell}', overrides))


@pytest.mark.parametrize('cell, name', _NAMES.items())
def test_five_names_stay(cell, name):
  assert _name(cell) == name


def _config(**changes):
  return sections.override(schema.get_default(), changes)


def _content(config):
  return identity.content(identity.to_json(config), sections.defaults(config))


@pytest.fixture
def change_defaults(monkeypatch):
  """Lets a section's entries have other defaults until the test ends."""
  default = sections.keys_of

  def change(section, **others):
    monkeypatch.setattr(sections, 'keys_of', lambda part, name: default(part, name) | (
        others if part == section else {}))
    sections._section_defaults.cache_clear()

  yield change
  sections._section_defaults.cache_clear()


@pytest.mark.parametrize('one, other', [
    ({'unique': 64}, {'views': 64}),
    ({'unique': 64, 'multiplicity': 16}, {'views': 1024, 'multiplicity': 16}),
    ({'unique': 64, 'multiplicity': 0}, {'views': 64, 'multiplicity': 0}),
    ({'views': 64, 'multiplicity': 1}, {'views': 64, 'multiplicity': 1, 'neighbouring': True}),
])
def test_the_same_rows_said_in_two_ways_are_one_run(one, other):
  assert sections.run_name(_config(**one)) == sections.run_name(_config(**other))


def test_other_rows_are_other_runs():
  rows = ({'unique': 64}, {'unique': 64, 'multiplicity': 2}, {'views': 64, 'multiplicity': 2},
          {'unique': 64, 'multiplicity': 0}, {'views': 64, 'multiplicity': 4},
          {'views': 64, 'multiplicity': 4, 'neighbouring': True},
          {'views': 16, 'multiplicity': 4, 'neighbouring': True}, {'unique': 32})
  assert len({sections.run_name(_config(**changes)) for changes in rows}) == len(rows)


def test_a_key_at_its_default_is_no_part_of_a_name_whether_it_is_said_or_not():
  plain = _config(unique=16)
  said = schema.get_default()
  said.unique = 16
  said.schedule = ml_collections.ConfigDict({'name': 'constant', 'peak': 0.1})
  said.optimizer.momentum = 0.9
  said.evals = ml_collections.ConfigDict(
      {'test': {'name': 'accuracy', 'split': 'test', 'every': '', 'most': 0}})
  assert sections.run_name(sections.complete(said)) == sections.run_name(plain)
  assert _content(plain) == {
      'multiplicity': 1, 'unique': 16, 'neighbouring': False}


def test_a_default_that_changes_changes_the_name_of_no_run_that_says_the_key(change_defaults):
  """A run that says a key keeps its name, and one that does not takes part in what is new."""
  said = {'unique': 16, 'optimizer.momentum': 0.5, 'schedule.peak': 0.3}
  before = sections.run_name(_config(**said))
  at_default = _content(_config(unique=16))

  change_defaults('optimizer', momentum=0.8)
  assert sections.run_name(_config(**said)) == before
  # What had the old default by not saying it is called as before; what says it is another run now.
  config = _config(unique=16)
  assert config.optimizer.momentum == 0.8
  assert _content(config) == at_default
  assert sections.run_name(_config(unique=16, **{'optimizer.momentum': 0.9})) != (
      sections.run_name(config))


def test_a_key_that_is_new_changes_no_name(change_defaults):
  before = sections.run_name(_config(unique=16))
  change_defaults('data', new=0)
  assert sections.run_name(_config(unique=16)) == before
  assert sections.run_name(_config(unique=16, **{'data.new': 1})) != before


def test_every_key_that_is_no_part_of_a_name_exists_and_changes_none():
  known = dict(identity.flatten(_config()))
  known |= dict(identity.flatten(_config(**{'data.name': 'stream'})))
  assert set(identity.MACHINE_KEYS) < set(known)
  for key in identity.MACHINE_KEYS:
    names = set()
    other = {bool: True, str: '/elsewhere', tuple: ('tensorboard',)}[type(known[key])]
    for value in (known[key], other):
      names.add(sections.run_name(_config(
          unique=16, **{'data.name': 'stream', key: value})))
    assert len(names) == 1, key


def test_every_other_key_is_part_of_it():
  plain = sections.run_name(_config(unique=16))
  for changes in ({'seed': 1}, {'seeds.noise': 0}, {'reseed.epoch': 2}, {'dtype': 'bfloat16'},
                  {'model.name': 'wide_resnet_tiny'}, {'start.bit_change': 3},
                  {'order.name': 'class_batches'}, {'evals.test.keep': True},
                  {'evals.train.name': 'accuracy', 'evals.train.split': 'train'},
                  {'checkpoint.at': ('1 epochs',)}, {'measure': 'gradient_variance()'}):
    assert sections.run_name(_config(unique=16, **changes)) != plain, changes
