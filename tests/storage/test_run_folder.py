"""The run's folder: one config, one process, a status that is whole."""

import json

import pytest

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.storage import run_folder
from nfnets_am.training import sections


def _open(folder, config=None):
  config = sections.complete(config or schema.get_default())
  folder.open(config, sections.defaults(config))


def test_another_config_is_refused_with_the_key(tmp_path):
  config = sections.complete(schema.get_default())
  first = run_folder.RunFolder(tmp_path)
  _open(first, config)
  first.close()
  config.data.data_dir = '/elsewhere'
  second = run_folder.RunFolder(tmp_path)
  _open(second, config)
  second.close()
  config.seed = 3
  with pytest.raises(errors.UserError, match='seed=0, this config says 3'):
    _open(run_folder.RunFolder(tmp_path), config)


def test_a_run_of_older_code_has_the_default_of_a_key_that_is_new(tmp_path):
  config = sections.complete(schema.get_default())
  folder = run_folder.RunFolder(tmp_path)
  _open(folder, config)
  folder.close()
  flat = json.loads((tmp_path / 'config.json').read_text())
  del flat['data.double_transpose']
  (tmp_path / 'config.json').write_text(json.dumps(flat))
  again = run_folder.RunFolder(tmp_path)
  _open(again, config)
  again.close()
  config.data.double_transpose = True
  with pytest.raises(errors.UserError, match='data.double_transpose=False, this config says True'):
    _open(run_folder.RunFolder(tmp_path), config)


def test_the_same_rows_said_in_another_way_are_the_same_run(tmp_path):
  config = sections.override(schema.get_default(), {'multiplicity': 4, 'unique': 16})
  first = run_folder.RunFolder(tmp_path)
  _open(first, config)
  first.close()
  config.unique, config.views = 0, 64
  second = run_folder.RunFolder(tmp_path)
  _open(second, config)
  second.close()
  config.neighbouring = True
  with pytest.raises(errors.UserError, match='neighbouring=False, this config says True'):
    _open(run_folder.RunFolder(tmp_path), config)


def test_two_processes_cannot_hold_one_folder(tmp_path):
  first = run_folder.RunFolder(tmp_path)
  _open(first)
  with pytest.raises(errors.UserError, match='in use'):
    _open(run_folder.RunFolder(tmp_path))
  first.close()
  _open(run_folder.RunFolder(tmp_path))


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(errors.UserError, match='cannot be written'):
    _open(run_folder.RunFolder(tmp_path / 'file' / 'run'))


def test_every_start_is_recorded(tmp_path):
  folder = run_folder.RunFolder(tmp_path)
  _open(folder)
  folder.record_start({'unique': 16}, 0, '1 x cpu')
  folder.record_start({'unique': 16}, 40, '4 x cpu')
  told = json.loads((tmp_path / 'run.json').read_text())
  assert told['derived'] == {'unique': 16}
  assert [start['update'] for start in told['starts']] == [0, 40]
  assert 'jax' in told['starts'][0]['versions']
  assert [start['hardware'] for start in told['starts']] == ['1 x cpu', '4 x cpu']


def test_a_start_that_ends_has_its_hours_and_one_that_was_killed_has_none(tmp_path, monkeypatch):
  clock = iter([0.0, 1000.0, 8200.0])
  monkeypatch.setattr(run_folder.time, 'monotonic', lambda: next(clock))
  folder = run_folder.RunFolder(tmp_path)
  _open(folder)
  folder.record_start({}, 0, '1 x cpu')
  folder.set_status('running', update=0)
  folder.record_start({}, 0, '1 x cpu')  # As another process would, after a kill.
  folder.set_status('finished', update=4)
  starts = json.loads((tmp_path / 'run.json').read_text())['starts']
  assert [start.get('hours') for start in starts] == [None, 2.0]


def test_a_reader_writes_nothing(tmp_path):
  folder = run_folder.RunFolder(tmp_path / 'run', writer=False)
  _open(folder)
  folder.set_status('running', update=0)
  folder.record_start({}, 0, '1 x cpu')
  assert not (tmp_path / 'run').exists()
  assert folder.status() == {'status': 'missing'}
