"""Interrupted equals uninterrupted, bit for bit, on real processes that are really killed."""

import json
import pathlib
import random
import shutil
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


@pytest.fixture(scope='module')
def stopped(tmp_path_factory):
  """A run with two checkpoints that a signal has stopped."""
  workdir = tmp_path_factory.mktemp('stopped') / 'run'
  with _start(workdir) as process:
    _wait_for_update(workdir, 24, process)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
  return workdir


def _steps(workdir):
  return sorted(int(p.name) for p in (workdir / 'checkpoints').iterdir() if p.name.isdigit())


def _damage(workdir, update):
  for path in (workdir / 'checkpoints' / str(update) / 'train_state').rglob('*'):
    if path.is_file() and path.stat().st_size:
      path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])


@pytest.mark.slow
def test_a_truncated_checkpoint_is_named_and_the_one_before_takes_over(
    stopped, uninterrupted, tmp_path):
  workdir = shutil.copytree(stopped, tmp_path / 'run')
  steps = _steps(workdir)
  assert len(steps) == 2
  _damage(workdir, steps[1])
  done = commands.train(workdir, _LONGER)
  assert f'checkpoints/{steps[1]} cannot be read' in done.stderr
  assert f'the run goes on from update {steps[0]}' in done.stderr
  _same_end(uninterrupted, workdir)


@pytest.mark.slow
def test_without_a_good_checkpoint_the_sentence_says_how_to_go_on(stopped, tmp_path):
  workdir = shutil.copytree(stopped, tmp_path / 'run')
  for update in _steps(workdir):
    _damage(workdir, update)
  done = commands.run('nfnets_am.train', f'--config={commands.TINY}', f'--workdir={workdir}',
                      _LONGER)
  error = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
  assert done.returncode == 1 and len(error) == 1 and 'Traceback' not in done.stderr
  assert f'checkpoints/{_steps(workdir)[-1]} cannot be read' in error[0]


@pytest.mark.slow
@pytest.mark.parametrize('lines', [None, 0, 1])
def test_metrics_that_are_shorter_than_the_checkpoint_are_refused(stopped, tmp_path, lines):
  workdir = shutil.copytree(stopped, tmp_path / 'run')
  metrics = workdir / 'metrics.jsonl'
  if lines is None:
    metrics.unlink()
  else:
    metrics.write_text(''.join(metrics.read_text().splitlines(keepends=True)[:lines]))
  done = commands.run('nfnets_am.train', f'--config={commands.TINY}', f'--workdir={workdir}',
                      _LONGER)
  error = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
  assert done.returncode == 1 and len(error) == 1
  assert f'holds {lines or 0} lines up to update {_steps(workdir)[-1]}' in error[0]
  assert "put the file back as it was, or remove the run's folder" in error[0]


@pytest.mark.slow
def test_records_that_nothing_depends_on_are_written_anew(stopped, uninterrupted, tmp_path):
  workdir = shutil.copytree(stopped, tmp_path / 'run')
  for name in ('status.json', 'run.json', 'config.json'):
    (workdir / name).write_text('')
  commands.train(workdir, _LONGER)
  _same_end(uninterrupted, workdir)


@pytest.mark.slow
def test_a_lost_config_is_no_way_to_another_run(stopped, tmp_path):
  workdir = shutil.copytree(stopped, tmp_path / 'run')
  (workdir / 'config.json').unlink()
  done = commands.run('nfnets_am.train', f'--config={commands.TINY}', f'--workdir={workdir}',
                      '--config.budget=61 updates')
  assert done.returncode == 1 and 'config.json is missing, and run.json tells of' in done.stderr


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
  # Killed between its last checkpoint and its status, it is no other run.
  (tmp_path / 'status.json').write_text('{"status": "running", "update": 1, "updates": 1}')
  done = commands.run('nfnets_am.train', f'--config={commands.TINY}', f'--workdir={tmp_path}',
                      '--config.schedule.peak=1e38', '--config.budget=1 updates')
  assert done.returncode == 76, done.stderr
  assert json.loads((tmp_path / 'status.json').read_text())['status'] == 'diverged'


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
