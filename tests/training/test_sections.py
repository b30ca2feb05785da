"""Every argument of every entry of every section is a key: it can be said, changed and refused."""

import json

import ml_collections
import pytest

from nfnets_am import evaluation
from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.sweeps import config_flag
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections

_FILE = """
from nfnets_am.config import schema
from nfnets_am.sweeps import experiment_file


def get_config(cell=''):
  config = schema.get_default()
  config.unique = 16
  return config


def get_sweep():
  return experiment_file.Sweep(title='By hand', cells=({},))
"""
_ENTRIES = [(section, name) for section, entries in sections.SECTIONS.items() for name in entries]
_ENTRIES += [('evals.test', name) for name in evaluation.EVALUATIONS]


def _other(like):
  """Another value of the same type, and its text on a command line."""
  value = {bool: lambda: not like, int: lambda: like + 3, float: lambda: like + 0.5,
           str: lambda: like + 'x', tuple: lambda: (*like, 0.5)}[type(like)]()
  return value, str(value)


def _needed(section, name):
  """Texts of the keys without which an entry cannot be named."""
  return {f'{section}.{key}': _other(sections.SECTIONS[section].like(name, key))[1]
          for key, default in sections.keys_of(section, name).items()
          if default is registry.REQUIRED}


@pytest.mark.parametrize('section, name', _ENTRIES)
def test_every_key_of_every_entry_can_be_changed_from_the_command_line(section, name):
  keys = sections.keys_of(section, name)
  for key, default in keys.items():
    entries = evaluation.EVALUATIONS if section.startswith('evals.') else sections.SECTIONS[section]
    like = (entries.like(name, key) if default is registry.REQUIRED or default is None
            else default)
    value, text = _other(like)
    changes = {f'{section}.name': name, **_needed(section, name), f'{section}.{key}': text}
    config = sections.override(schema.get_default(), changes)
    flat = dict(identity.flatten(config))
    assert flat[f'{section}.{key}'] == value
    assert type(flat[f'{section}.{key}']) is type(like)
    # All other keys of the entry have their defaults, and there are no others.
    found = {k.rpartition('.')[2]: v for k, v in flat.items() if k.startswith(f'{section}.')}
    assert found.keys() == keys.keys() | {'name'}
    for other, default_of_other in keys.items():
      if other != key and default_of_other is not registry.REQUIRED:
        assert found[other] == default_of_other
    # It comes back from a folder's JSON, and to its default.
    assert dict(identity.flatten(sections.from_json(identity.to_json(config)))) == flat
    if default is None:
      back = sections.override(config, {f'{section}.{key}': 'None'})
      assert dict(identity.flatten(back))[f'{section}.{key}'] is None


@pytest.mark.parametrize('section, name', _ENTRIES)
def test_every_key_of_every_entry_goes_through_a_sweep_to_the_commands_of_its_runs(
    section, name, tmp_path, monkeypatch):
  path = tmp_path / 'one.py'
  path.write_text(_FILE)
  sweep = experiment_file.get_sweep(path)
  said = ml_collections.ConfigDict({'value': f'{path}:'})
  monkeypatch.setattr(config_flag.flags, 'DEFINE_string', lambda *args: said)
  entries = evaluation.EVALUATIONS if section.startswith('evals.') else sections.SECTIONS[section]
  for key, default in sections.keys_of(section, name).items():
    value, text = _other(entries.like(name, key) if default is registry.REQUIRED or default is None
                         else default)
    changes = {f'{section}.name': name, **_needed(section, name), f'{section}.{key}': text}
    (run,) = experiment_file.get_runs(path, sweep, experiment_file.parse_overrides(
        [f'{one}={what}' for one, what in changes.items()]))
    assert dict(identity.flatten(run.config))[f'{section}.{key}'] == value
    flag = config_flag.ConfigFlag()
    assert flag.take([*run.flags]) == [f'--config={path}:']
    assert flag.value.to_dict() == run.config.to_dict()


@pytest.mark.parametrize('section, name', _ENTRIES)
def test_a_key_that_an_entry_lacks_is_refused_by_name(section, name):
  entries = evaluation.EVALUATIONS if section.startswith('evals.') else sections.SECTIONS[section]
  keys = {'name': name, 'keyy': 1} | {
      key.rpartition('.')[2]: value for key, value in (
          _needed(section, name) if section in sections.SECTIONS else {}).items()}
  config = schema.get_default()
  if section == 'evals.test':
    config.evals.test = ml_collections.ConfigDict(keys)
  else:
    config[section] = ml_collections.ConfigDict(keys)
  allowed = registry.listed('keyy', sections.keys_of(section, name))
  with pytest.raises(errors.ConfigError) as e:
    sections.complete(config)
  assert str(e.value).startswith(
      f"{section}.keyy=1: the {entries.what} {name!r} has no key 'keyy'")
  assert str(e.value).endswith(f'; allowed: {allowed}')


def test_plan_and_sweep_set_any_key_and_their_flags_say_it_again(tmp_path):
  path = tmp_path / 'one.py'
  path.write_text(_FILE)
  texts = ['schedule.name=halving', 'schedule.start=0.25', 'clip.name=agc', 'clip.clip=1',
           'evals.train.name=accuracy', 'evals.train.split=train', 'evals.train.most=1',
           'checkpoint.at=("1 updates", "2 updates")', 'seeds.noise=4', 'gradient_norm=true']
  changes = experiment_file.parse_overrides(texts)
  (run,) = experiment_file.get_runs(path, experiment_file.get_sweep(path), changes)
  assert run.config.schedule.to_dict() == sections.keys_of('schedule', 'halving') | {
      'name': 'halving', 'start': 0.25}
  assert run.config.clip.to_dict() == {'name': 'agc', 'clip': 1.0, 'eps': 1e-3}
  assert type(run.config.clip.clip) is float
  assert run.config.evals.train.to_dict() == evaluation.COMMON | {
      'name': 'accuracy', 'split': 'train', 'most': 1}
  assert run.config.checkpoint.at == ('1 updates', '2 updates')
  assert (run.config.seeds.noise, run.config.gradient_norm) == (4, True)
  # The command of the run has the same config, whatever the order of its flags.
  again = dict(flag.removeprefix('--config.').partition('=')[::2] for flag in run.flags[1:])
  for said in (again, dict(reversed(again.items()))):
    config = experiment_file.get_config(run.flags[0].removeprefix('--config='), said)
    assert config == run.config and sections.run_name(config) == run.name


def test_the_flag_takes_the_same_changes(tmp_path, monkeypatch):
  path = tmp_path / 'one.py'
  path.write_text(_FILE)
  monkeypatch.setattr(config_flag.flags, 'DEFINE_string',
                      lambda *args: ml_collections.ConfigDict({'value': f'{path}:'}))
  flag = config_flag.ConfigFlag()
  assert flag.take(['train', '--config.ascent.rho=0.1', '--workdir=x', '--config.gradient_norm',
                    '--config.ascent.name=sam', "--config.penalty=l2(coefficient=5e-4, mask='all')"]
                   ) == ['train', '--workdir=x']
  config = flag.value
  assert config.ascent.to_dict() == {
      'name': 'sam', 'rho': 0.1, 'synchronised': False, 'fraction': 1.0, 'part': 'images'}
  assert config.gradient_norm is True
  assert config.penalty == "l2(coefficient=5e-4, mask='all')"


def test_another_name_keeps_what_both_take():
  config = schema.get_default()
  config.optimizer.momentum, config.optimizer.weight_decay = 0.5, 1e-3
  sections.override(config, {'optimizer.name': 'adam'})
  assert config.optimizer.to_dict() == sections.keys_of('optimizer', 'adam') | {
      'name': 'adam', 'weight_decay': 1e-3}
  sections.override(config, {'optimizer.name': 'sgd'})
  assert config.optimizer.momentum == 0.9 and config.optimizer.weight_decay == 1e-3


def test_lengths_of_schedules_and_optimisers_may_be_durations():
  config = sections.override(schema.get_default(), {
      'schedule.name': 'warmup_cosine', 'schedule.warmup': '2.5 epochs',
      'optimizer.weight_decay': '1e-3', 'optimizer.decay_until': '15 epochs'})
  assert (config.schedule.warmup, config.optimizer.decay_until) == ('2.5 epochs', '15 epochs')
  sections.override(config, {'schedule.warmup': '7', 'optimizer.decay_until': 'inf'})
  assert (config.schedule.warmup, config.optimizer.decay_until) == (7.0, float('inf'))
  # JSON has no word for it that others than Python read; what was written before is still the same.
  flat = identity.to_json(config)
  assert json.loads(json.dumps(flat, allow_nan=False)) == flat
  assert flat['optimizer.decay_until'] == 'inf'
  assert sections.from_json(flat).optimizer.decay_until == float('inf')
  assert not identity.difference({**flat, 'optimizer.decay_until': float('inf')}, flat)
  sections.override(config, {'schedule.name': 'piecewise',
                             'schedule.boundaries': "('5 epochs', 300)",
                             'schedule.scales': '(0.1, 0.01)'})
  assert config.schedule.boundaries == ('5 epochs', 300)
  with pytest.raises(errors.ConfigError, match="schedule.warmup='2.5 weeks'.*updates"):
    sections.override(schema.get_default(), {
        'schedule.name': 'warmup_cosine', 'schedule.warmup': '2.5 weeks'})


@pytest.mark.parametrize('changes, sentence', [
    ({'multiplicity': 'four'}, "multiplicity='four'; allowed: a whole number"),
    ({'multiplicity': 1.5}, 'multiplicity=1.5; allowed: a whole number'),
    ({'ema': 'yes'}, "ema='yes'; allowed: a number"),
    ({'gradient_norm': '1'}, 'gradient_norm=1; allowed: True or False'),
    ({'seeds.noise': '0.5'}, 'seeds.noise=0.5; allowed: a whole number'),
    ({'budget': 3}, 'budget=3; allowed: a text'),
    ({'checkpoint.at': '3'}, 'checkpoint.at=3; allowed: a tuple, such as (1, 2)'),
    ({'optimizer.momentum': 'high'}, "optimizer.momentum='high'; allowed: a number"),
    ({'optimizer.nesterov': '0.5'}, 'optimizer.nesterov=0.5; allowed: True or False'),
    ({'ascent.name': 'sam', 'ascent.rho': 'low'}, "ascent.rho='low'; allowed: a number"),
    ({'ascent.name': 'sam'}, "ascent.rho is missing; the ascent 'sam' needs it"),
    ({'ascent.name': 'sma'},
     "unknown ascent 'sma' (did you mean 'sam'?); allowed: none, random_offset, sam"),
    ({'ascent.rho': '0.1'},
     "the config has no key 'ascent.rho': the ascent 'none' has no key 'rho'; allowed: none"),
    ({'optimizer.momentm': '0.5'}, "the config has no key 'optimizer.momentm': the optimizer 'sgd' "
     "has no key 'momentm' (did you mean 'momentum'?); allowed: momentum, nesterov, "
     'weight_decay, decay_mask, decay_until, rates'),
    ({'seeds.nois': '3'}, "the config has no key 'seeds.nois' (did you mean 'seeds.noise'?); "
     'allowed in seeds: seeds.attack, seeds.augment, seeds.init, seeds.noise, seeds.shuffle'),
    ({'evals.train.split': 'train'}, "the config has no key 'evals.train.split', since evals has "
     "no 'train'; allowed: one of test, or evals.train.name=accuracy with it"),
    ({'optimiser.momentum': '0.5'}, "the config has no key 'optimiser.momentum' (did you mean "
     "'optimizer.momentum'?); allowed sections: ascent, checkpoint, clip, data, "),
    ({'loss.label_smoothing': '0.1'}, "the config has no key 'loss.label_smoothing' (did you mean "
     "'objective.label_smoothing'?); allowed sections: "),
    ({'peak': '0.1'}, "the config has no key 'peak' (did you mean 'schedule.peak'?); allowed: "),
    ({'model': 'nfnet_f0'}, "the config has no key 'model' (did you mean 'model.name'?); allowed"),
    ({'model.name': 'nfnet_f9'}, "unknown model 'nfnet_f9' (did you mean 'nfnet_f"),
])
def test_what_does_not_fit_is_one_sentence(changes, sentence):
  with pytest.raises(errors.ConfigError) as e:
    sections.override(schema.get_default(), changes)
  assert str(e.value).startswith(sentence) and '\n' not in str(e.value)
  assert len(str(e.value)) < 300


@pytest.mark.parametrize('value', [{}, {'peak': 0.1}])
def test_a_section_names_its_entry(value):
  config = schema.get_default()
  config.schedule = ml_collections.ConfigDict(value)
  with pytest.raises(errors.ConfigError, match='schedule names no entry.*constant, cosine'):
    sections.complete(config)


def test_a_value_of_an_experiment_file_is_of_the_type_of_its_default():
  config = schema.get_default()
  config.schedule = ml_collections.ConfigDict({'name': 'halving', 'peak': 1, 'start': '0.5'})
  with pytest.raises(errors.ConfigError, match="schedule.start='0.5'; allowed: a number"):
    sections.complete(config)
  config.schedule = ml_collections.ConfigDict({'name': 'halving', 'peak': 1})
  assert type(sections.complete(config).schedule.peak) is float
