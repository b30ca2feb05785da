"""Sinks by name: what is refused, that none holds a run up, TensorBoard's events, and all in a run.
"""

import importlib.util
import json
import threading
import time

import pytest

from nfnets_am.core import errors
from nfnets_am.storage import sinks
from nfnets_am.storage.sinks import apart
from nfnets_am.storage.sinks import tensorboard
from nfnets_am.sweeps import config_flag
from nfnets_am.training import loop
from nfnets_am.training import sections
from tests import tiny
from tests.storage.sinks import facts


def _config(**changes):
  return sections.override(tiny.get_config(), changes)


@pytest.mark.parametrize('names, words', [
    (('wand',), "unknown sink 'wand' (did you mean 'wandb'?); allowed: aim, tensorboard, wandb"),
    (('aim', 'aim'), "sinks=('aim', 'aim'); allowed: each at most once"),
])
def test_names_are_checked(names, words):
  with pytest.raises(errors.ConfigError) as e:
    sinks.check(names)
  assert str(e.value) == words


def test_a_missing_library_is_refused_before_anything_is_done(tmp_path, monkeypatch):
  found = importlib.util.find_spec
  monkeypatch.setattr(importlib.util, 'find_spec',
                      lambda name, *args: None if name == 'wandb' else found(name, *args))
  with pytest.raises(errors.ConfigError, match=r'needs the library wandb; .*nfnets_am\[wandb\]'):
    loop.train(_config(sinks=('wandb',)), tmp_path / 'run')
  assert not (tmp_path / 'run').exists()


def test_the_former_key_is_named_and_old_runs_are_read():
  with pytest.raises(errors.ConfigError, match=r"'tensorboard' any more.*sinks=\('tensorboard',\)"):
    _config(tensorboard=True)
  assert sections.from_json({'tensorboard': True, 'unique': 8}).sinks == ()


def test_an_experiment_is_called_by_its_file():
  names = {'experiments/fort2021/figure2.py:seed=1': 'fort2021-figure2',
           '/home/me/experiments/quickstart.py': 'quickstart', 'tests/tiny.py': 'tiny'}
  flag = config_flag.ConfigFlag.__new__(config_flag.ConfigFlag)
  for path, name in names.items():
    flag._path = type('Flag', (), {'value': path})
    assert flag.experiment == name


class _Slow:
  """A sink of a service that does not answer until it is told to."""

  library, of_a_service = 'json', True
  answers = threading.Event()
  taken: list = []

  def __init__(self, run, lines):
    assert self.answers.wait(20)
    self.taken[:] = lines

  def write(self, line):
    self.taken.append(line)

  def sync(self):
    self.taken.append('sync')

  def close(self):
    self.taken.append('close')


class _Broken(_Slow):
  """One that is lost during a run."""

  def write(self, line):
    raise SystemExit('no route\nto host')


def test_a_service_that_waits_holds_nobody_up_and_loses_nothing(tmp_path):
  _Slow.answers.clear()
  first, second, third = facts.lines(1, 2, 3)[::2]
  began = time.monotonic()
  sink = apart.Apart('slow', _Slow, facts.of(tmp_path, 1), [first])
  line = dict(second)
  sink.write(line)
  line.clear()  # It is the loop's.
  sink.sync()
  sink.write(third)
  assert time.monotonic() - began < 5 and not _Slow.answers.is_set()
  _Slow.answers.set()
  sink.close()
  assert _Slow.taken == [first, second, 'sync', third, 'close']


def test_one_that_never_answers_is_left_and_one_that_is_lost_is_named_once(
    tmp_path, monkeypatch, caplog):
  monkeypatch.setattr(apart, 'PATIENCE_S', 0.05)
  _Slow.answers.clear()
  apart.Apart('slow', _Slow, facts.of(tmp_path, 0), []).close()
  _Slow.answers.set()
  monkeypatch.setattr(apart, 'PATIENCE_S', 20.0)
  lost = apart.Apart('lost', _Broken, facts.of(tmp_path, 0), [])
  for line in facts.lines(1, 2, 3):
    lost.write(line)
  lost.close()
  lost.write({})
  slow, broken = [record.getMessage() for record in caplog.records]
  assert slow.startswith('sink slow has not taken everything after 0.05 s')
  assert broken.startswith('sink lost takes nothing more of this start (no route to host)')


def _events(folder):
  tf = pytest.importorskip('tensorflow')
  return [(event.step, value.tag, value.simple_value)
          for path in sorted(folder.iterdir(), key=lambda path: int(path.suffix[1:]))
          for event in tf.compat.v1.train.summary_iterator(str(path))
          for value in event.summary.value]


def test_tensorboard_has_the_lines_before_it_was_named_once(tmp_path):
  lines = facts.lines(5, 10)
  for update in (5, 10):  # Named at update 5; the second start finds its file.
    sink = tensorboard.TensorBoard(facts.of(tmp_path, update), lines[:update // 5 * 2])
    if update == 5:
      for line in lines[2:]:
        sink.write(line)
    sink.close()
  found = _events(tmp_path / 'tensorboard')
  assert [(step, tag) for step, tag, _ in found] == [
      (step, f'{split}/{key}') for step in (5, 10) for split in ('train_views', 'test')
      for key in ('epochs', 'loss')]
  assert found[1][2] == pytest.approx(1 / 5)


def test_a_run_writes_to_sinks_what_it_writes_to_its_file(tmp_path, monkeypatch):
  """A stop and a second start between; of a service, too."""
  monkeypatch.setattr(sinks.SINKS, '_entries', {**sinks.SINKS._entries, 'slow': _Slow})
  _Slow.answers.set()
  config = _config(sinks=('tensorboard', 'slow'), budget='6 updates', eval_every='6 updates')
  config.log_every = '2 updates'
  assert loop.train(config, tmp_path, until='4 updates', experiment='mine')['status'] == 'stopped'
  assert loop.train(config, tmp_path, experiment='mine')['status'] == 'finished'
  lines = [json.loads(line) for line in (tmp_path / 'metrics.jsonl').read_text().splitlines()]
  assert [line['update'] for line in lines] == [2, 4, 6, 6]
  assert [line for line in _Slow.taken if line not in ('sync', 'close')] == lines
  assert _Slow.taken[-1] == 'close'
  assert _events(tmp_path / 'tensorboard') == [
      (line['update'], f'{line["split"]}/{key}', pytest.approx(value))
      for line in lines for key, value in line.items() if key not in ('update', 'split')]
