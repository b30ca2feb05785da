"""What a launcher does when runs crash, diverge and are killed, and when it is killed itself."""

import functools
import json
import signal
import subprocess
import time

import pytest

from launch import jobs as jobs_lib
from launch import local
from launch import scheduler
from launch import states
from nfnets_am.storage import leases
from nfnets_am.storage import run_folder
from tests import commands
from tests.launch import launcher


def _run(jobs, at_once=2, restarts=3, get_jobs=None):
  return scheduler.Scheduler(local.Local(), at_once=at_once, restarts=restarts).run(
      get_jobs or (lambda: jobs))


def _lines(job, name):
  path = job.folder / name
  return path.read_text().splitlines() if path.exists() else []


def _states(jobs):
  return {state.name: state for state in map(states.state_of, jobs)}


def test_every_run_ends_in_its_state(tmp_path):
  jobs = launcher.jobs(
      tmp_path, 'fine', 'crash', 'diverge', 'killed_twice', 'stopped_once', 'fine')
  assert _run(jobs) == 1
  found = _states(jobs)
  assert {name: state.status for name, state in found.items()} == {
      'fine-0': 'finished', 'crash-1': 'failed', 'diverge-2': 'diverged',
      'killed_twice-3': 'finished', 'stopped_once-4': 'finished', 'fine-5': 'finished'}
  assert {name: state.interruptions for name, state in found.items() if state.interruptions} == {
      'killed_twice-3': 2, 'stopped_once-4': 1}
  assert 'this config is refused' in found['crash-1'].reason
  # An interrupted run went on where it was; a diverged one and a crashed one were not tried again.
  assert _lines(jobs[3], 'begun.txt') == ['0', '1', '2']
  assert len(_lines(jobs[2], 'begun.txt')) == 1
  assert jobs[1].record()['starts'] == 1
  assert all(len(_lines(job, 'ended.txt')) == (job.status()['status'] == 'finished')
             for job in jobs)
  # The same command again tries the crashed one alone, and leaves no lease behind.
  assert _run(jobs) == 1
  assert [job.record()['starts'] for job in jobs] == [1, 2, 1, 3, 2, 1]
  assert not list(tmp_path.glob('*/launcher.lease'))


def test_the_status_command_shows_what_folders_say(tmp_path):
  workdir = tmp_path / 'runs'
  jobs = launcher.jobs(workdir, 'diverge', 'crash', 'held')
  _run(jobs[:2])
  jobs[2].folder.mkdir()
  jobs[2].note(starts=1, interruptions=3)
  done = commands.run('launch.status', f'--workdir={workdir}', '--all')
  assert done.returncode == 0, done.stderr
  rows = {line.split()[1]: line for line in done.stdout.splitlines() if line.startswith('│')}
  assert 'diverged' in rows['diverge-0'] and 'not finite' in rows['diverge-0']
  assert 'failed' in rows['crash-1'] and 'is refused' in rows['crash-1']
  assert 'queued' in rows['held-2'] and ' 3 ' in rows['held-2']
  missing = commands.run('launch.status', f'--workdir={tmp_path / "none"}')
  assert missing.returncode == 1 and 'there is no folder' in missing.stderr


def test_restarts_are_bounded(tmp_path):
  jobs = launcher.jobs(tmp_path, 'killed_twice')
  assert _run(jobs, restarts=1) == 1
  state = states.state_of(jobs[0])
  assert state.status == 'failed' and 'interrupted 2 times, killed by SIGKILL' in state.reason
  assert _run(jobs, restarts=1) == 0


def test_rounds_go_on_until_nothing_is_added(tmp_path):
  jobs = launcher.jobs(tmp_path, 'fine', 'fine', 'fine')

  def get_jobs():
    return jobs[:1 + sum(job.done for job in jobs)]

  assert _run(jobs, get_jobs=get_jobs) == 0
  assert all(job.done for job in jobs)


def test_two_launchers_share_the_runs_out(tmp_path):
  kinds = ['fine'] * 6
  with launcher.start(tmp_path, *kinds) as a, launcher.start(tmp_path, *kinds) as b:
    assert (a.wait(100), b.wait(100)) == (0, 0)
  for job in launcher.jobs(tmp_path, *kinds):
    assert _lines(job, 'begun.txt') == ['0'] and len(_lines(job, 'ended.txt')) == 1


def test_launchers_agree_on_who_goes_on_after_a_stage(tmp_path):
  """One of three is killed and comes again; of equal copies the first two go on."""
  kinds = ['staged'] * 5
  jobs = launcher.jobs(tmp_path, *['fine'] * 5)
  one_at_a_time = functools.partial(launcher.start, tmp_path, *kinds, at_once=1)
  with one_at_a_time() as a, one_at_a_time() as b:
    with launcher.start(tmp_path, *kinds) as killed:
      launcher.wait_for(lambda: any(states.progress(job.folder)[0] > 1 for job in jobs))
      killed.kill()
    with launcher.start(tmp_path, *kinds) as again:
      assert (a.wait(100), b.wait(100), again.wait(100)) == (0, 0, 0)
  assert [job.status()['status'] for job in jobs] == ['finished'] * 2 + ['stopped'] * 3
  assert [job.status()['update'] for job in jobs] == [8, 8, 4, 4, 4]
  # No update was made twice, and the ends are noted for those who only see the folders.
  for job, count in zip(jobs, (8, 8, 4, 4, 4), strict=True):
    assert [json.loads(x)['update'] for x in _lines(job, 'metrics.jsonl')] == [
        *range(1, count + 1)]
    assert len(_lines(job, 'ended.txt')) == (count == 8)
    state = states.state_of(jobs_lib.Job(job.name, job.folder, ()))
    assert state.status == ('finished' if count == 8 else 'not selected')


@pytest.mark.parametrize('how', [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_launcher_that_ends_is_replaced(tmp_path, how):
  kinds = ['held', 'held', 'fine']
  jobs = launcher.jobs(tmp_path, *kinds)
  with launcher.start(tmp_path, *kinds) as first:
    launcher.wait_for(lambda: all(states.progress(job.folder)[0] > 2 for job in jobs[:2]))
    assert states.state_of(jobs[0]).status == 'running'
    assert states.state_of(jobs[2]).status == 'queued'
    first.send_signal(how)
    assert first.wait(100) == (75 if how != signal.SIGKILL else -signal.SIGKILL)
  # Killed, its runs save and leave by themselves; else they had left before it did.
  if how == signal.SIGKILL:
    launcher.wait_for(lambda: not any(states.locked(job.folder) for job in jobs[:2]))
  assert {job.status()['status'] for job in jobs[:2]} == {'stopped'}
  assert {state.status for state in map(states.state_of, jobs)} == {'queued'}
  with launcher.start(tmp_path, *kinds) as second:
    assert second.wait(100) == 0
  for job in jobs:
    assert len(_lines(job, 'ended.txt')) == 1
  for job in jobs[:2]:
    first_update, second_update = map(int, _lines(job, 'begun.txt'))
    assert first_update == 0 < second_update
    assert len(_lines(job, 'metrics.jsonl')) == 8


class _Sleeper:
  """A backend whose runs take a time of their own, by a clock that stands still but for sleep."""

  noted = on_stop = ''

  def __init__(self, clock, seconds):
    self._clock, self._seconds, self.started = clock, seconds, {}

  def start(self, job):
    self.started[job.name] = began = self._clock[0]
    return _Sleep(lambda: self._clock[0] - began >= self._seconds, job)

  def busy(self, job):
    return False


class _Sleep:

  def __init__(self, over, job):
    self._over, self._job = over, job

  def poll(self):
    if not self._over():
      return None
    run_folder.RunFolder(self._job.folder).set_status('finished', update=8)
    return jobs_lib.Ending(jobs_lib.End.DONE)


@pytest.mark.parametrize('runs', [2, 50])
def test_a_lease_falls_silent_while_every_place_is_taken_too(tmp_path, monkeypatch, runs):
  """The last run's launcher is gone; what counts its silence is this one's look, not its turn."""
  clock = [1000.0]
  monkeypatch.setattr(time, 'monotonic', lambda: clock[0])
  monkeypatch.setattr(time, 'sleep', lambda s: clock.__setitem__(0, clock[0] + s))
  jobs = launcher.jobs(tmp_path, *['fine'] * runs)
  jobs[-1].folder.mkdir(parents=True)
  (jobs[-1].folder / 'launcher.lease').write_text(json.dumps(
      {'token': 'theirs', 'machine': 'elsewhere', 'pid': 1, 'started': '', 'beats': 7, 'time': 0}))
  long = leases.STALE_S + 30.0
  backend = _Sleeper(clock, long)
  # All but the last and one have a place; that one takes theirs for as long again.
  assert scheduler.Scheduler(backend, at_once=max(1, runs - 2), restarts=0).run(lambda: jobs) == 0
  assert len(backend.started) == runs
  assert backend.started[jobs[-1].name] < 1000.0 + long + 5.0


def test_a_run_in_other_hands_is_left_alone(tmp_path):
  """Such as one that was started by hand: it holds the folder's lock."""
  jobs = launcher.jobs(tmp_path, 'fine')
  jobs[0].folder.mkdir(parents=True)
  with subprocess.Popen(jobs[0].command(), cwd=commands.ROOT) as by_hand:
    launcher.wait_for(lambda: (jobs[0].folder / 'begun.txt').exists())
    assert _run(jobs) == 0
    assert by_hand.wait(100) == 0
  assert jobs[0].record()['starts'] == 0 and len(_lines(jobs[0], 'ended.txt')) == 1
