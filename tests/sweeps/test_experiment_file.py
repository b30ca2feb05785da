"""Experiment files: what a run is called, and that two experiments share it."""

import pytest

from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import inputs
from nfnets_am.sweeps import experiment_file
from nfnets_am.training import sections

_FILE = """
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.sweeps import experiment_file


def get_config(cell=''):
  cell = cells_lib.parse_cell(cell, {'multiplicity': 1, 'seed': 0})
  config = schema.get_default()
  config.unique = 16
  config.multiplicity = cell['multiplicity']
  config.seed = cell['seed']
  return config


def get_sweep():
  return experiment_file.Sweep(title='By hand', cells=CELLS)
"""


def _runs(path, cells, **overrides):
  path.write_text(_FILE.replace('CELLS', repr(cells)))
  return experiment_file.get_runs(path, experiment_file.get_sweep(path), overrides)


def test_two_experiments_that_ask_for_one_run_share_its_folder(tmp_path):
  first = _runs(tmp_path / 'one.py', ({'multiplicity': 1}, {'multiplicity': 4}))
  second = _runs(tmp_path / 'two.py', ({'seed': 0, 'multiplicity': 4}, {'seed': 1}))
  assert first[1].name == second[0].name
  assert len({run.name for run in (*first, *second)}) == 3
  assert first[0].flags == (f'--config={tmp_path / "one.py"}:multiplicity=1',)


def test_where_the_data_lie_is_no_part_of_the_name_and_what_a_run_does_is(tmp_path):
  cells = ({'multiplicity': 2},)
  (plain,) = _runs(tmp_path / 'one.py', cells)
  (moved,) = _runs(tmp_path / 'one.py', cells, **{'data.data_dir': '/elsewhere'})
  (longer,) = _runs(tmp_path / 'one.py', cells, budget='7 epochs')
  assert moved.name == plain.name and longer.name != plain.name
  assert moved.flags[1:] == ('--config.data.data_dir=/elsewhere',)


def test_a_run_that_is_named_twice_is_refused(tmp_path):
  with pytest.raises(errors.ConfigError, match='the same run'):
    _runs(tmp_path / 'one.py', ({'multiplicity': 1}, {'seed': 0}))
  with pytest.raises(errors.ConfigError, match="no key 'bugdet'.*budget"):
    _runs(tmp_path / 'one.py', ({'multiplicity': 1},), bugdet='1 epochs')


def test_a_key_that_is_new_in_the_code_changes_no_name(tmp_path, monkeypatch):
  (before,) = _runs(tmp_path / 'one.py', ({'multiplicity': 2},))

  def with_a_new_key():
    config = default()
    with config.unlocked():
      config.new = 0
    return config

  default = schema.get_default
  monkeypatch.setattr(schema, 'get_default', with_a_new_key)
  monkeypatch.setattr(sections, '_plain_defaults', sections._plain_defaults.__wrapped__)
  (same,) = _runs(tmp_path / 'one.py', ({'multiplicity': 2},))
  (other,) = _runs(tmp_path / 'one.py', ({'multiplicity': 2},), new=1)
  assert same.name == before.name != other.name


def test_every_key_that_is_no_part_of_the_name_exists():
  keys = {f'data.{key}' for name in inputs.INPUTS for key in sections.keys_of('data', name)}
  assert set(identity.MACHINE_KEYS) < keys | set(dict(identity.flatten(schema.get_default())))


_HEAD = """
import ml_collections
from nfnets_am.config import schema


def get_config(cell=''):
  config = schema.get_default()
  config.unique = 16
"""


@pytest.mark.parametrize('body, sentence', [
    ("def get_config(cell=''):\n  return {'unique': 16}\n",
     'get_config of {path} returns a dict; allowed: the ConfigDict of schema.get_default'),
    ("def get_config(cell=''):\n  pass\n", 'get_config of {path} returns a NoneType; allowed: '),
    (_HEAD + "  return ml_collections.ConfigDict({'lr': 0.1})\n",
     "get_config of {path} returns a config without 'accumulate'; allowed: "),
    ('def get_config():\n  pass\n', '{path}: get_config() takes 0 positional arguments but 1 was '
     "given; allowed: get_config(cell: str = '')"),
    (_HEAD + '  config.multiplicty = 4\n  return config\n', '{path}, line 9: Key "multiplicty" '
     "does not exist and cannot be added since the config is locked (did you mean 'multip"),
    (_HEAD + "  config.multiplicity = 'four'\n", '{path}, line 9: Could not override field '),
    ('def get_sweep():\n  pass\n', '{path} has no get_config; allowed: '),
    ('def get_config(:\n', '{path}, line 1: invalid syntax'),
])
def test_what_is_no_experiment_is_one_sentence(tmp_path, body, sentence):
  path = tmp_path / 'one.py'
  path.write_text(body)
  with pytest.raises(errors.ConfigError) as e:
    experiment_file.get_config(str(path))
  assert str(e.value).startswith(sentence.format(path=path)) and '\n' not in str(e.value)
  assert len(str(e.value).replace(str(path), '')) < 300


def test_a_bug_of_an_experiment_keeps_its_traceback(tmp_path):
  path = tmp_path / 'one.py'
  path.write_text(_HEAD + '  return config.unique.x\n')
  with pytest.raises(AttributeError, match="'int' object"):
    experiment_file.get_config(str(path))


@pytest.mark.parametrize('body, scale, sentence', [
    ('', '', '{path} has no get_sweep, so it is no sweep; allowed: one run of it, by python -m '
     'nfnets_am.train --config={path}'),
    ('def get_sweep():\n  return 3\n', '', 'get_sweep of {path} returns a int; allowed: '),
    ('def get_sweep():\n  return 3\n', 'smoke', "scale='smoke': {path} knows no scales"),
])
def test_what_is_no_sweep_is_one_sentence(tmp_path, body, scale, sentence):
  path = tmp_path / 'one.py'
  path.write_text(_HEAD + '  return config\n' + body)
  with pytest.raises(errors.ConfigError) as e:
    experiment_file.get_sweep(path, scale)
  assert str(e.value).startswith(sentence.format(path=path))


def test_a_key_of_the_cells_cannot_be_set_for_all(tmp_path):
  with pytest.raises(errors.ConfigError) as e:
    _runs(tmp_path / 'one.py', ({'multiplicity': 1}, {'multiplicity': 4}), multiplicity=2)
  assert str(e.value) == (
      f'multiplicity is a key of the cells of {tmp_path / "one.py"}, which say it for each run; '
      'allowed: keys of the config that no cell says')
