"""Interrupted equals uninterrupted, bit for bit, on real processes that are really killed."""

import json
import pathlib
import random
import signal
import time

import pytest

from tests import commands

_LONGER = '--config.budget=60 updates'


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
  """A run that nothing disturbed."""
  workdir = tmp_path_factory.mktemp('whole') / 'run'
  commands.train(workdir, _LONGER)
  return workdir


def _wait_for_update(workdir: pathlib.Path, update: int, process) -> None:
  """Waits until the run has logged `update` or the process has ended."""
  metrics = workdir / 'metrics.jsonl'
  while process.poll() is None:
    if metrics.exists() and f'"update": {update},' in metrics.read_text():
      return
    time.sleep(0.01)


def _same_end(a: pathlib.Path, b: pathlib.Path) -> None:
  assert (b / 'metrics.jsonl').read_bytes() == (a / 'metrics.jsonl').read_bytes()
  commands.assert_same(commands.final_state(a), commands.final_state(b))
  assert json.loads((b / 'status.json').read_text())['status'] == 'finished'


def _start(workdir):
  return commands.start('nfnets_am.train', f'--config={commands.TINY}', f'--workdir={workdir}',
                        _LONGER)


@pytest.mark.slow
def test_kill_at_random_moments(tmp_path, uninterrupted):
  draw = random.Random(0)
  workdir = tmp_path / 'run'
  killed = 0
  for target in (12, 24, 36, 48):
    with _start(workdir) as process:
      _wait_for_update(workdir, target, process)
      time.sleep(draw.uniform(0, 0.1))
      killed += process.poll() is None
      process.kill()
      process.communicate()
  assert killed >= 3
  commands.train(workdir, _LONGER)
  starts = json.loads((workdir / 'run.json').read_text())['starts']
  assert len(starts) == 5 and starts[-1]['update'] > 0
  _same_end(uninterrupted, workdir)


@pytest.mark.slow
def test_a_signal_saves_and_asks_to_be_run_again(tmp_path, uninterrupted):
  workdir = tmp_path / 'run'
  with _start(workdir) as process:
    _wait_for_update(workdir, 24, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 75
  status = json.loads((workdir / 'status.json').read_text())
  assert status['status'] == 'stopped' and 24 <= status['update'] < 60
  assert (workdir / 'checkpoints' / str(status['update'])).is_dir()
  commands.train(workdir, _LONGER)
  _same_end(uninterrupted, workdir)


@pytest.mark.slow
def test_a_finished_run_is_not_repeated(uninterrupted):
  before = {path: path.stat().st_mtime_ns for path in uninterrupted.rglob('*') if path.is_file()
            and path.name != '.lock'}
  done = commands.train(uninterrupted, _LONGER)
  assert 'finished at update 60 of 60' in done.stderr
  assert before == {path: path.stat().st_mtime_ns for path in before}


@pytest.mark.slow
def test_a_truncated_checkpoint_is_named_and_the_one_before_stays(tmp_path):
  workdir = tmp_path / 'run'
  with _start(workdir) as process:
    _wait_for_update(workdir, 24, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
  steps = sorted(int(p.name) for p in (workdir / 'checkpoints').iterdir() if p.name.isdigit())
  assert len(steps) == 2
  for path in (workdir / 'checkpoints' / str(steps[1]) / 'train_state').rglob('*'):
    if path.is_file() and path.stat().st_size:
      path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
  done = commands.run('nfnets_am.train', f'--config={commands.TINY}', f'--workdir={workdir}',
                      _LONGER)
  assert done.returncode == 1
  error = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
  assert len(error) == 1 and f'checkpoints/{steps[1]} cannot be read' in error[0]
  assert f'go on from update {steps[0]}' in error[0]
  assert 'Traceback' not in done.stderr
  # What the sentence says works.
  (workdir / 'checkpoints' / str(steps[1])).rename(tmp_path / 'damaged')
  commands.train(workdir, _LONGER)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_ends_the_run_as_diverged(tmp_path):
  done = commands.run('nfnets_am.train', f'--config={commands.TINY}', f'--workdir={tmp_path}',
                      '--config.schedule.peak=1e30')
  assert done.returncode == 76, done.stderr
  status = json.loads((tmp_path / 'status.json').read_text())
  assert status['status'] == 'diverged' and 'not finite' in status['reason']
  assert 1 < status['update'] < 24


def test_a_last_update_that_ruins_the_weights_ends_the_run_as_diverged(tmp_path):
  done = commands.run('nfnets_am.train', f'--config={commands.TINY}', f'--workdir={tmp_path}',
                      '--config.schedule.peak=1e38', '--config.budget=1 updates')
  assert done.returncode == 76, done.stderr
  assert json.loads((tmp_path / 'status.json').read_text())['reason'] == (
      "the loss on the split 'test' of update 1 is not finite")


@pytest.mark.slow
def test_every_switch_of_an_nfnet_survives_a_signal(tmp_path):
  """SAM, AGC, EMA, micro-batches, bfloat16, dropout, stochastic depth, smoothing, remat."""
  flags = ('--config.budget=6 updates', '--config.checkpoint.every=2 updates',
           '--config.eval_every=6 updates')
  whole, cut = tmp_path / 'whole', tmp_path / 'cut'
  commands.train(whole, *flags, config='tests/tiny_nfnet.py')
  with commands.start('nfnets_am.train', '--config=tests/tiny_nfnet.py', f'--workdir={cut}',
                      *flags) as process:
    _wait_for_update(cut, 3, process)
    process.kill()
    process.communicate()
  commands.train(cut, *flags, config='tests/tiny_nfnet.py')
  assert len(json.loads((cut / 'run.json').read_text())['starts']) == 2
  _same_end(whole, cut)
