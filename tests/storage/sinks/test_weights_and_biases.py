"""W&B: a library that does nothing but remember shows what a service has; the real one is offline.
"""

import json
import struct
import sys
import types

import pytest

from nfnets_am.storage.sinks import weights_and_biases
from tests.storage.sinks import facts


class _Service:
  """What W&B promises: a run has an id, a row for each step, and steps that only grow."""

  def __init__(self):
    self.runs: dict[str, dict] = {}
    self.asked: list[dict] = []

  def library(self, **others):
    """Returns a stand-in for the module wandb."""

    def init(**arguments):
      self.asked.append(arguments)
      rows = self.runs.setdefault(arguments['id'], {})

      def log(row, *, step):
        assert step > max(rows, default=0), 'W&B drops it'
        rows[step] = dict(row)

      return types.SimpleNamespace(
          starting_step=max(rows, default=-1) + 1, log=log, finish=lambda: None, dir='')

    module = types.SimpleNamespace(
        init=init, login=lambda prompt, verify: True, Settings=dict,
        Error=type('Error', (Exception,), {}))
    vars(module).update(others)
    return module


@pytest.fixture
def service(monkeypatch):
  found = _Service()
  monkeypatch.setitem(sys.modules, 'wandb', found.library())
  for name in ('WANDB_MODE', 'WANDB_PROJECT', 'WANDB_RUN_GROUP', 'WANDB_DIR'):
    monkeypatch.delenv(name, raising=False)
  return found


def _start(folder, update, *updates):
  """A start after `update`; it is killed before its last line's update is synced."""
  sink = weights_and_biases.WeightsAndBiases(
      facts.of(folder, update), [line for line in facts.lines(*range(10, 60, 10))
                                 if line['update'] <= update])
  for line in facts.lines(*updates):
    sink.write(line)
  return sink


def test_nothing_is_lost_or_doubled_over_starts(service, tmp_path):
  _start(tmp_path, 0, 10, 20, 30)  # Killed: the row of 30 was not sent.
  ((run_id, rows),) = service.runs.items()
  assert rows == facts.rows(10, 20)
  _start(tmp_path, 10, 20, 30)  # From an older checkpoint: 20 is there.
  assert rows == facts.rows(10, 20)
  _start(tmp_path, 30, 40).close()  # 30 stands in metrics.jsonl.
  assert service.runs == {run_id: facts.rows(10, 20, 30, 40)}
  assert json.loads((tmp_path / 'wandb.json').read_text()) == {'id': run_id}


def test_the_experiment_is_project_and_group_unless_the_environment_says(
    service, tmp_path, monkeypatch):
  _start(tmp_path, 0).close()
  monkeypatch.setenv('WANDB_PROJECT', 'mine')
  _start(tmp_path, 0).close()
  first, second = service.asked
  assert (first['project'], first['group'], first['name']) == (
      'fort2021-figure2', 'fort2021-figure2', 'tiny-n2-seed3')
  assert first['config'] == {'seed': 3, 'model': {'name': 'tiny'}, 'at': ('1 epochs',)}
  assert first['resume'] == 'allow' and 'mode' not in first and first['dir'] == str(tmp_path)
  assert (second['project'], second['group']) == ('mine', 'fort2021-figure2')
  # Another folder is another run, whatever its name.
  (tmp_path / 'other').mkdir()
  _start(tmp_path / 'other', 0).close()
  assert service.asked[-1]['id'] != first['id'] == second['id']


@pytest.mark.parametrize('trouble', ['no key', 'no answer'])
def test_without_an_answer_the_start_is_kept_here_and_that_is_said_once(
    service, tmp_path, monkeypatch, caplog, trouble):
  earlier = tmp_path / 'wandb' / 'offline-run-20260101_000000-abc'
  earlier.mkdir(parents=True)
  facts.of(tmp_path, 0).keep_id('wandb', 'abc')
  module = service.library()
  answer = module.init

  def no_answer(**arguments):
    if arguments.get('mode') != 'offline':
      raise module.Error('context deadline exceeded\nwhile retrying')
    return answer(**arguments)

  changes = {'login': lambda prompt, verify: False} if trouble == 'no key' else {'init': no_answer}
  vars(module).update(changes)
  monkeypatch.setitem(sys.modules, 'wandb', module)
  _start(tmp_path, 20, 30).close()
  (asked,) = service.asked
  assert asked['mode'] == 'offline' and 'resume' not in asked
  assert service.runs['abc'] == facts.rows(10, 20, 30)
  assert not earlier.exists()  # This one has its rows, too.
  (sentence,) = [record.getMessage() for record in caplog.records]
  assert {'no key': 'no API key', 'no answer': 'context deadline exceeded while retrying'}[
      trouble] in sentence and '\n' not in sentence


def _records(path):
  """Yields the records of a file of wandb's: a log in blocks of 32 KiB, each part with a header."""
  from wandb.proto import wandb_internal_pb2

  data, at, whole = path.read_bytes(), 7, b''
  while at < len(data):
    left = -at % 32768
    if 0 < left < 7:
      at += left
      continue
    length, kind = struct.unpack('<4xHB', data[at:at + 7])
    whole += data[at + 7:at + 7 + length]
    at += 7 + length
    if kind in (1, 4):  # Whole, or the last part.
      record = wandb_internal_pb2.Record()
      record.ParseFromString(whole)
      yield record
      whole = b''


def test_the_real_library_offline(tmp_path, monkeypatch):
  wandb = pytest.importorskip('wandb')
  monkeypatch.setenv('WANDB_MODE', 'offline')
  # A process of its own has read the environment when it was imported.
  wandb.teardown()
  try:
    _start(tmp_path, 0, 10, 20, 30).close()
    _start(tmp_path, 20, 30, 40).close()
  finally:
    wandb.teardown()
  (file,) = (tmp_path / 'wandb').glob('offline-run-*/*.wandb')
  rows, runs = {}, []
  for record in _records(file):
    if record.WhichOneof('record_type') == 'history':
      row = {item.key or '.'.join(item.nested_key): json.loads(item.value_json)
             for item in record.history.item}
      assert row['_step'] not in rows
      rows[row['_step']] = {key: value for key, value in row.items() if key[0] != '_'}
    elif record.WhichOneof('record_type') == 'run':
      runs.append(record.run)
  assert rows == facts.rows(10, 20, 30, 40)
  assert (runs[0].project, runs[0].run_group, runs[0].display_name) == (
      'fort2021-figure2', 'fort2021-figure2', 'tiny-n2-seed3')
  assert runs[0].run_id == json.loads((tmp_path / 'wandb.json').read_text())['id']
