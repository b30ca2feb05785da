"""A run's folder in a bucket, by a stand-in: nothing grows, nothing locks."""

import dataclasses
import json
import time

from etils import epath
import pytest

from launch import jobs as jobs_lib
from launch import states
from nfnets_am.core import errors
from nfnets_am.storage import leases
from nfnets_am.storage import metrics
from nfnets_am.storage import run_folder
from nfnets_am.storage.sinks import tensorboard
from nfnets_am.sweeps import catalogue
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.training import sections
from tests import bucket
from tests import commands
from tests import tiny
from tests.storage.sinks import facts

_RUN = 'gs://bucket/a sweep/run'


@pytest.fixture
def store(tmp_path, monkeypatch):
  monkeypatch.setattr(leases, '_SETTLE_S', 0.0)
  return bucket.use(monkeypatch, tmp_path)


def _open(folder, config):
  sections.complete(config)
  folder.open(config, sections.defaults(config))


def test_metrics_are_written_whole_at_milestones(store, tmp_path):
  path, on_disk = f'{_RUN}/metrics.jsonl', tmp_path / 'metrics.jsonl'
  for start, stop in ((0, 5), (3, 8)):  # Interrupted at 5, its last checkpoint is of update 3.
    files = [metrics.MetricsFile(p, update=start) for p in (path, on_disk)]
    for update in range(start + 1, stop + 1):
      for file in files:
        file.write({'update': update, 'split': 'test', 'top1': 0.5})
        if update % 3 == 0:
          file.sync()
    assert store.written[path] == (1 if start == 0 else 3)
    for file in files:
      file.close()
  assert epath.Path(path).read_bytes() == on_disk.read_bytes()
  assert [line['update'] for line in metrics.read(path)] == list(range(1, 9))


def test_one_training_process_at_a_time(store, monkeypatch):
  monkeypatch.setattr(leases, 'STALE_S', 0.2)
  monkeypatch.setattr(leases, 'BEAT_S', 0.03)
  first, second = run_folder.RunFolder(_RUN), run_folder.RunFolder(_RUN)
  _open(first, tiny.get_config())
  with pytest.raises(errors.UserError, match='in use'):
    _open(second, tiny.get_config())
  first.close()
  _open(second, tiny.get_config())
  second.close()
  other = tiny.get_config()
  other.budget = '5 updates'
  with pytest.raises(errors.UserError, match='holds a run with budget'):
    _open(second, other)
  second.close()


def test_a_lease_of_a_machine_that_was_taken_away_is_taken_over(store, monkeypatch):
  monkeypatch.setattr(leases, 'STALE_S', 0.2)
  monkeypatch.setattr(leases, 'BEAT_S', 0.03)
  (epath.Path(_RUN) / 'train.lease').write_text(json.dumps(
      {'token': 'theirs', 'machine': 'elsewhere', 'pid': 1, 'started': '', 'beats': 7, 'time': 0}))
  folder = run_folder.RunFolder(_RUN)
  _open(folder, tiny.get_config())
  folder.close()
  assert leases.holder(f'{_RUN}/train.lease') is None


def test_a_bucket_that_is_away_for_a_moment_does_not_end_a_lease(store, monkeypatch):
  tf = pytest.importorskip('tensorflow')
  monkeypatch.setattr(leases, 'BEAT_S', 0.03)
  lease = leases.Lease(f'{_RUN}/launcher.lease')
  assert lease.acquire()
  store.trouble = tf.errors.UnavailableError(None, None, 'no answer')
  _wait_for(lambda: store.refused > 2)
  store.trouble = None
  beats = lease.holder()['beats']
  _wait_for(lambda: lease.holder()['beats'] > beats)
  assert not lease.lost
  lease.release()


def _wait_for(condition, seconds=60):
  began = time.monotonic()
  while not condition():
    assert time.monotonic() - began < seconds, 'it never came'
    time.sleep(0.01)


@pytest.mark.parametrize('kind, expected', [
    ('UnavailableError', True), ('PermissionDeniedError', True), ('NotFoundError', True),
    ('FailedPreconditionError', True), ('InvalidArgumentError', False), ('DataLossError', False)])
def test_errors_of_a_bucket_are_told_from_those_of_data(kind, expected):
  tf = pytest.importorskip('tensorflow')
  assert errors.is_storage(getattr(tf.errors, kind)(None, None, 'so')) == expected


def test_states_and_reports_read_it(store):
  (run, *_) = experiment_file.get_runs('tests/tiny.py', tiny.get_sweep())
  folder = run_folder.RunFolder(_RUN)
  folder.set_status('finished', update=6, updates=6)
  file = metrics.MetricsFile(folder.path / 'metrics.jsonl', update=0)
  file.write({'update': 6, 'split': 'test', 'top1': 0.5})
  file.close()
  job = jobs_lib.Job('run', epath.Path(_RUN), run.flags)
  job.note(starts=2, interruptions=1)
  state = states.state_of(job)
  assert (state.status, state.update, state.interruptions) == ('finished', 6, 1)
  assert outcomes.read_run(_RUN, dict(run.cell)).final == {'test/top1': 0.5}
  reader = outcomes.Reader('gs://bucket/a sweep')
  found = [reader.read(dataclasses.replace(run, name=name)) for name in ('run', 'other')]
  assert catalogue.state_of(one.status for one in found) == '1 finished, 1 missing'


def test_tensorboard_events_are_there_after_each_checkpoint(store, tmp_path):
  """Also on a disk, where a process may be killed right after it."""
  tf = pytest.importorskip('tensorflow')

  def events(folder):
    return [event for path in sorted(folder.iterdir(), key=lambda path: path.suffix)
            for event in tf.compat.v1.train.summary_iterator(str(path))]

  for address, run in ((_RUN, tmp_path / 'bucket/a sweep/run'),
                       (tmp_path / 'on disk', tmp_path / 'on disk')):
    folder = run / 'tensorboard'
    killed = []  # Their files are not closed, not even by Python.
    for start, stop in ((0, 4), (3, 5)):  # Interrupted at 4, its last checkpoint is of update 3.
      writer = tensorboard.TensorBoard(facts.of(address, start), [])
      killed.append(writer)
      for update in range(start + 1, stop + 1):
        writer.write({'update': update, 'split': 'test', 'top1': update / 8})
        if update == 3:
          writer.sync()
      found = [(event.step, value.simple_value)
               for event in events(folder) for value in event.summary.value]
      assert found == [(1, 1 / 8), (2, 2 / 8), (3, 3 / 8)]
    writer.close()
    # TensorBoard drops what is at or after the start of a session before it.
    assert [event.step for event in events(folder) if event.HasField('session_log')] == [1, 4]
    assert [event.step for event in events(folder) if event.summary.value] == [1, 2, 3, 4, 5]


@pytest.mark.slow
def test_the_commands_read_and_write_it(store, tmp_path):
  for run, top1 in zip(experiment_file.get_runs('tests/tiny.py', tiny.get_sweep()), (0.25, 0.75),
                       strict=True):
    folder = run_folder.RunFolder(f'gs://bucket/sweep/{run.name}')
    folder.set_status('finished', update=6, updates=6)
    file = metrics.MetricsFile(folder.path / 'metrics.jsonl', update=0)
    file.write({'update': 6, 'split': 'test', 'top1': top1})
    file.close()
  where = '--workdir=gs://bucket/sweep'
  for flags in (('nfnets_am.report', '--experiment=tests/tiny.py'),
                ('nfnets_am.report', '--all', '--experiments=tests'), ('launch.status',)):
    done = commands.run('tests.bucket', str(tmp_path), *flags, where)
    assert done.returncode == 0, done.stderr
    if flags[0] == 'launch.status':
      assert '2 finished' in done.stdout
  written = tmp_path / 'bucket' / 'sweep' / 'report' / 'tiny'
  assert '25.0' in written.with_suffix('.md').read_text()
  assert written.with_suffix('.csv').read_bytes().count(b'\r\n') == 3
  assert written.with_suffix('.png').read_bytes().startswith(b'\x89PNG')
  assert 'report/tiny.md' not in (tmp_path / 'bucket/sweep/report/index.md').read_text()
