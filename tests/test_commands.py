"""Bad input to the commands: one sentence, exit status 1, and nothing done."""

import contextlib
import json
import os
import subprocess

import pytest

from tests import commands


def _refused(done: subprocess.CompletedProcess) -> str:
  assert done.returncode == 1, done.stderr
  assert 'Traceback' not in done.stderr
  (error,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
  return error


@pytest.mark.slow
def test_a_wrong_key_and_a_missing_run_are_one_sentence_as_typed(tmp_path):
  """Nothing of what stands between a user and main() is left out."""
  error = _refused(commands.run_as_typed(
      'nfnets_am.train', f'--config={commands.TINY}', f'--workdir={tmp_path / "run"}',
      '--config.multiplicty=4'))
  assert "'multiplicty'" in error and "did you mean 'multiplicity'" in error
  assert not (tmp_path / 'run').exists()
  assert 'holds no run' in _refused(
      commands.run_as_typed('nfnets_am.evaluate', f'--workdir={tmp_path}'))


@pytest.mark.slow
@pytest.mark.parametrize('flags, words', [
    (['--config.multiplicity=four'], ["multiplicity='four'", 'a whole number']),
    (['--config.optimizer.momentm=0.5'], ["'optimizer.momentm'", 'momentum', 'nesterov']),
    (['--config.unique=0', '--config.views=9'], ['multiplicity=2', 'views=9']),
    (['--config.model.name=wide_resnt'], ["'wide_resnt'", 'wide_resnet', 'allowed']),
    (['--config.schedule.name=warmup_cosine', '--config.ascent.fraction=0.5'],
     ["no key 'ascent.fraction'", "the ascent 'none'"]),
    (['--config.data.augment=flop() | normalise()'], ['flop', 'flip']),
    (['--config.data.set=cifar100', '--config.data.data_dir={tmp}/none'],
     ['data_dir', '{tmp}/none', 'not a folder']),
    (['--config.data.set=cifar1000'], ['cifar1000', 'cifar100']),
    (['--wrkdir=x'], ['wrkdir']),
])
def test_a_wrong_letter_is_one_sentence(tmp_path, flags, words):
  flags = [flag.format(tmp=tmp_path) for flag in flags]
  done = commands.run('nfnets_am.train', f'--config={commands.TINY}',
                      f'--workdir={tmp_path / "run"}', *flags)
  error = _refused(done)
  for word in words:
    assert word.format(tmp=tmp_path) in error
  assert not (tmp_path / 'run').exists()


@pytest.mark.slow
def test_too_few_unique_images_for_the_devices(tmp_path):
  error = _refused(commands.run(
      'nfnets_am.train', f'--config={commands.TINY}', f'--workdir={tmp_path / "run"}',
      '--config.unique=2', devices=4))
  assert '2 unique images' in error and '4 devices' in error


@pytest.mark.slow
def test_a_missing_file_or_cell(tmp_path):
  assert 'no experiment file' in _refused(commands.run(
      'nfnets_am.train', '--config=experiments/none.py', f'--workdir={tmp_path}'))
  assert "'multiplicty'" in _refused(commands.run(
      'nfnets_am.train', f'--config={commands.TINY}:multiplicty=4', f'--workdir={tmp_path}'))


@pytest.mark.slow
def test_evaluate_counts_every_image_once_for_any_batch(tmp_path):
  workdir = tmp_path / 'run'
  commands.train(workdir, '--config.evals.test.batch=300', '--config.evals.test.most=0',
                 '--config.budget=8 updates')
  last = json.loads((workdir / 'metrics.jsonl').read_text().splitlines()[-1])
  for split, images in (('test', 2000), ('train', 100)):
    done = commands.run('nfnets_am.evaluate', f'--workdir={workdir}', f'--split={split}')
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result['images'] == images and result['update'] == 8
    for key in ('loss', 'top1', 'top5', 'ema_loss', 'ema_top1', 'ema_top5'):
      assert key in result
      if split == 'test':
        assert result[key] == pytest.approx(last[key], rel=1e-6)
  error = _refused(commands.run(
      'nfnets_am.evaluate', f'--workdir={workdir}', '--split=validation'))
  assert 'train' in error


@pytest.mark.slow
def test_a_full_disk_is_one_sentence_and_the_last_checkpoint_stays(tmp_path):
  disk = tmp_path / 'disk'
  disk.mkdir()
  mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', str(disk)],
                           capture_output=True, text=True)
  if mounted.returncode:
    pytest.skip(f'no small disk can be mounted here: {mounted.stderr.strip()}')
  try:
    commands.train(disk / 'run', '--config.budget=8 updates')
    kept = commands.final_state(disk / 'run')
    files = {path: path.read_bytes() for path in (disk / 'run').rglob('*') if path.is_file()}
    with open(disk / 'filler', 'wb', buffering=0) as f, contextlib.suppress(OSError):
      while True:
        f.write(bytes(4096))
    # Enough for the lock and a line of metrics, too little for a checkpoint.
    os.truncate(disk / 'filler', (disk / 'filler').stat().st_size - 24576)
    config = json.loads((disk / 'run' / 'config.json').read_text())
    config |= {'budget': '40 updates', 'eval_every': '40 updates'}
    (disk / 'run' / 'status.json').unlink()
    (disk / 'run' / 'config.json').write_text(json.dumps(config))
    done = commands.run('nfnets_am.train', f'--config={commands.TINY}',
                        f'--workdir={disk / "run"}', '--config.budget=40 updates',
                        '--config.eval_every=40 updates')
    # Around it may stand tracebacks of the threads in which tensorstore failed.
    (error,) = [line for line in done.stderr.splitlines() if line.startswith('error: ')]
    assert done.returncode == 1
    assert 'could not be written' in error or 'cannot be written' in error
    assert '8' in error or 'space' in error
    os.unlink(disk / 'filler')
    after = commands.final_state(disk / 'run')
    commands.assert_same(kept, after)
    for path, content in files.items():
      if 'checkpoints/8/' in str(path):
        assert path.read_bytes() == content
  finally:
    subprocess.run(['umount', str(disk)], check=True)
