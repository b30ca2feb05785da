"""The notebook of the first check: stored without outputs, run on the CPU, and kind to another JAX.
"""

import importlib.metadata
import json
import os
import pathlib
import sys
import types

import pytest

from tests import commands

_PATH = commands.ROOT / 'notebooks' / 'first_check.ipynb'
_CELLS = {cell['id']: cell for cell in json.loads(_PATH.read_text())['cells']}


def test_it_is_stored_as_it_is_before_it_is_run():
  book = json.loads(_PATH.read_text())
  assert book['nbformat'] == 4 and len(_CELLS) == len(book['cells'])
  for cell in book['cells']:
    if cell['cell_type'] == 'code':
      assert cell['outputs'] == [] and cell['execution_count'] is None
  # Who runs it with other numbers, such as papermill, finds the cell by this tag.
  assert _CELLS['parameters']['metadata']['tags'] == ['parameters']


@pytest.mark.slow
def test_all_of_it_runs_on_the_cpu(tmp_path, monkeypatch):
  nbclient, nbformat = pytest.importorskip('nbclient'), pytest.importorskip('nbformat')
  pytest.importorskip('ipykernel')
  monkeypatch.setenv('NFNETS_AM_SCALE', 'smoke')
  monkeypatch.setenv('NFNETS_AM_WORKDIR', str(tmp_path / 'runs'))
  book = nbformat.read(_PATH, as_version=4)
  nbformat.validate(book)
  # From a folder below, as the notebook is opened there.
  client = nbclient.NotebookClient(
      book, timeout=300, resources={'metadata': {'path': str(_PATH.parent)}})
  client.execute()
  texts = {cell['id']: ''.join(out.get('text', '') for out in cell['outputs'])
           for cell in book['cells'] if cell['cell_type'] == 'code'}
  assert texts['install'] == ''
  assert ' cpu\n' in texts['devices'] and 'This is no TPU' in texts['devices']
  assert texts['train'].count('finished after') == 4
  shown = [out['data'] for name in ('views', 'report') for cell in book['cells']
           if cell['id'] == name for out in cell['outputs'] if out.get('data')]
  assert ['image/png' in data for data in shown] == [True, False, True]
  assert '| multiplicity |' in shown[1]['text/markdown']
  summary = json.loads(texts['summary'])
  assert summary['scale'] == 'smoke' and summary['jax'] == importlib.metadata.version('jax')
  assert summary['steps'].keys() == {'quickstart', 'nfnet_tiny'}
  for step in summary['steps'].values():
    assert 0 < step['least_ms'] <= step['median_ms']
    assert f'{step["median_ms"]:.2f} ms for {step["views"]} views' in texts['steps']
  assert (tmp_path / 'runs' / 'report' / 'quickstart.md').is_file()


class _Processes:
  """In the place of `subprocess`: notes what is run, and answers as it is told."""

  def __init__(self, answers):
    self.ran, self._answers, self.held = [], iter(answers), ''

  def run(self, command, **_):
    if '-c' in command and command[1:4] == ['-m', 'pip', 'install']:
      self.held = pathlib.Path(command[command.index('-c') + 1]).read_text()
    self.ran.append(command)
    return types.SimpleNamespace(returncode=next(self._answers))


@pytest.fixture
def install(monkeypatch):
  """(answers, folder to run in, SOURCE) -> what the cell that installs has run."""

  def run(answers, here=commands.ROOT, source=''):
    processes = _Processes(answers)
    monkeypatch.setitem(sys.modules, 'subprocess', processes)
    monkeypatch.setattr(sys, 'path', [*sys.path])
    monkeypatch.chdir(here)
    exec(compile(''.join(_CELLS['install']['source']), 'install', 'exec'),
         {'SOURCE': source, 'os': os})
    return processes

  return run


def test_nothing_is_installed_where_all_is_there(install):
  assert install([0]).ran == [[sys.executable, '-c', 'import nfnets_am.training.loop']]


def test_what_is_installed_leaves_jax_as_it_is(install, tmp_path):
  done = install([1, 0, 0], here=tmp_path, source=str(commands.ROOT))
  assert pathlib.Path.cwd() == commands.ROOT
  installs = done.ran[1]
  assert installs[1:4] == ['-m', 'pip', 'install'] and installs[-2:] == ['-e', '.']
  held = done.held.splitlines()
  for name in ('jax', 'jaxlib', 'numpy'):
    assert f'{name}=={importlib.metadata.version(name)}' in held
  assert not any(name in ' '.join(installs) for name in ('requirements', '-U', '--upgrade', 'cpu'))


def test_a_jax_that_does_not_go_with_it_is_said(install):
  with pytest.raises(RuntimeError, match=r'does not go with JAX \d.*jax\[tpu\]'):
    install([1, 1])


def test_the_repository_is_cloned_where_an_address_is_said(install, tmp_path):
  with pytest.raises(RuntimeError, match='SOURCE is empty'):
    install([], here=tmp_path)
  (tmp_path / 'nfnets_am_source').mkdir()
  cloned = install([0, 0], here=tmp_path, source='ADDRESS').ran[0]
  assert cloned[:2] == ['git', 'clone'] and cloned[-2:] == ['ADDRESS', 'nfnets_am_source']
  assert pathlib.Path.cwd() == tmp_path / 'nfnets_am_source'
