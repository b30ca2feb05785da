"""A run's folder in a bucket, by a stand-in: nothing grows, nothing locks."""

import json

from etils import epath
import pytest

from launch import jobs as jobs_lib
from launch import states
from nfnets_am import errors
from nfnets_am import experiment_file
from nfnets_am import leases
from nfnets_am import metrics
from nfnets_am import reduction
from nfnets_am import run_folder
from tests import bucket
from tests import tiny

_RUN = 'gs://bucket/a sweep/run'


@pytest.fixture
def store(tmp_path, monkeypatch):
  monkeypatch.setattr(leases, '_SETTLE_S', 0.0)
  return bucket.use(monkeypatch, tmp_path)


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
  first.open(tiny.get_config())
  with pytest.raises(errors.UserError, match='in use'):
    second.open(tiny.get_config())
  first.close()
  second.open(tiny.get_config())
  second.close()
  other = tiny.get_config()
  other.budget = '5 updates'
  with pytest.raises(errors.UserError, match='holds a run with budget'):
    second.open(other)
  second.close()


def test_a_lease_of_a_machine_that_was_taken_away_is_taken_over(store, monkeypatch):
  monkeypatch.setattr(leases, 'STALE_S', 0.2)
  monkeypatch.setattr(leases, 'BEAT_S', 0.03)
  (epath.Path(_RUN) / 'train.lease').write_text(json.dumps(
      {'token': 'theirs', 'machine': 'elsewhere', 'pid': 1, 'started': '', 'beats': 7, 'time': 0}))
  folder = run_folder.RunFolder(_RUN)
  folder.open(tiny.get_config())
  folder.close()
  assert leases.holder(f'{_RUN}/train.lease') is None


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
  assert reduction.read_run(_RUN, dict(run.cell)).final == {'test/top1': 0.5}
