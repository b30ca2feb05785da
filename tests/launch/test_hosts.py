"""Several real processes work on one run; they are killed, stopped, and fewer go on."""

import json
import os
import pathlib
import random
import re
import signal
import threading
import time

from etils import epath
import pytest

from launch import jobs as jobs_lib
from launch import local
from launch import scheduler
from launch import states
from tests import commands

_UPDATES = 56
_FLAGS = (f'--config={commands.TINY}:multiplicity=2,seed=0', f'--config.budget={_UPDATES} updates',
          '--config.checkpoint.every=8 updates', '--config.eval_every=28 updates',
          '--config.log_every=4 updates', '--config.schedule.peak=0.005',
          # Each device draws its own masks, so with another number of them there are others.
          '--config.model.dropout=0.0')


def _job(folder):
  return jobs_lib.Job('run', epath.Path(folder), _FLAGS)


def _run(job, processes=2, devices=2):
  return scheduler.Scheduler(
      local.Local(processes=processes, devices=devices), at_once=1, restarts=3).run(lambda: [job])


def _process(job, index: int) -> int | None:
  """Returns the number of the process with this --process_id, as the system lists it."""
  wanted = {f'--workdir={job.folder}'.encode(), f'--process_id={index}'.encode()}
  for path in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
    try:
      if wanted <= set(path.read_bytes().split(b'\0')):
        return int(path.parent.name)
    except OSError:
      continue
  return None


def _wait_for(condition, seconds=280):
  began = time.monotonic()
  while not condition():
    assert time.monotonic() - began < seconds, 'it never came'
    time.sleep(0.02)


def _starts(job) -> list[dict]:
  path = job.folder / 'run.json'
  return json.loads(path.read_text())['starts'] if path.exists() else []


def _checkpoints(job) -> list[int]:
  """Returns the updates of the checkpoints that are whole."""
  return [int(path.name) for path in (job.folder / 'checkpoints').glob('*') if path.name.isdigit()]


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
  job = _job(tmp_path_factory.mktemp('uninterrupted') / 'run')
  assert _run(job) == 0
  return job


@pytest.mark.slow
def test_killed_and_stopped_equals_uninterrupted(tmp_path, uninterrupted):
  job = _job(tmp_path / 'run')
  done = []
  launcher = threading.Thread(target=lambda: done.append(_run(job)))
  launcher.start()
  random_ = random.Random(0)
  try:
    for start, kind in ((1, signal.SIGKILL), (2, signal.SIGTERM)):
      after = random_.randrange(10, 16)
      _wait_for(lambda start=start: len(_starts(job)) == start)
      first = _starts(job)[-1]['update']
      _wait_for(lambda first=first, after=after: (
          states.progress(job.folder)[0] >= first + after and _checkpoints(job)))
      # The other of them: the loss of process 1 is below.
      victim = 0 if kind == signal.SIGKILL else random_.randrange(2)
      os.kill(_process(job, victim), kind)
      if kind == signal.SIGKILL:
        other = job.folder / f'log{1 - victim or ""}.txt'
      if kind == signal.SIGTERM:
        _wait_for(lambda: len(_starts(job)) == 3 or not launcher.is_alive())
  finally:
    launcher.join(280)
  assert done == [0]
  begun = [start['update'] for start in _starts(job)]
  assert len(begun) == 3 and 0 == begun[0] < begun[1] < begun[2] < _UPDATES
  assert job.record()['interruptions'] == 2
  # The sentence is JAX's where a collective hangs.
  assert re.search('another (host is gone|task died)', other.read_text())
  assert ((job.folder / 'metrics.jsonl').read_bytes()
          == (uninterrupted.folder / 'metrics.jsonl').read_bytes())
  commands.assert_same(
      commands.final_state(uninterrupted.folder), commands.final_state(job.folder))


@pytest.mark.slow
def test_four_are_stopped_and_one_goes_on_with_the_same_images(tmp_path, uninterrupted):
  """All stop at one update when one is told to; then one process has all the images."""
  job, random_ = _job(tmp_path / 'run'), random.Random(1)
  job.folder.mkdir(parents=True)
  started = local.Local(processes=4, devices=2).start(job)
  _wait_for(lambda: states.progress(job.folder)[0] >= 12 and _checkpoints(job))
  os.kill(_process(job, random_.randrange(1, 4)), signal.SIGTERM)
  _wait_for(started.stopped)
  ended = started.poll()
  assert (ended.end, ended.reason) == (jobs_lib.End.AGAIN, 'stopped by a signal')
  assert [p.returncode for p in started.processes] == [75] * 4
  stopped = job.status()
  assert stopped['status'] == 'stopped' and 0 < stopped['update'] < _UPDATES
  assert stopped['update'] in _checkpoints(job)

  assert _run(job, processes=1, devices=4) == 0
  # The sum over devices is taken in another order; all else is the same.
  commands.assert_same(commands.final_state(uninterrupted.folder),
                       commands.final_state(job.folder), rtol=1e-3)


@pytest.mark.slow
def test_the_loss_of_a_host_is_one_sentence(tmp_path):
  job = _job(tmp_path / 'run')
  started = local.Local(processes=2, devices=1).start(job)
  _wait_for(lambda: states.progress(job.folder)[0] >= 10)
  os.kill(_process(job, 1), signal.SIGKILL)
  _wait_for(started.stopped)
  assert [p.returncode for p in started.processes] == [75, -signal.SIGKILL]
  errors = [line for line in (job.folder / 'log.txt').read_text().splitlines()
            if line.startswith('error: ')]
  assert len(errors) == 1 and errors[0].startswith('error: another host is gone (')
  assert errors[0].endswith('; the same command on all hosts goes on')
  assert job.status()['status'] == 'stopped' and 'another host' in job.status()['reason']
