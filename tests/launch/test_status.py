"""launch.status at the size of figure 2: a summary first, the rest on request, nothing cut."""

import json
import re
import subprocess
import sys
import time

from etils import epath
import pytest

from launch import jobs as jobs_lib
from launch import states
from launch import summary
from launch import view
from nfnets_am.storage import leases
from tests import commands

_REASON = 'data.data_dir: there is no folder /data/{}, with the images'


def _make(workdir, counts):
  """Makes folders of runs that stand so; returns the leases of those that run."""
  held = []
  for kind, count in counts.items():
    for k in range(count):
      folder = workdir / f'wide_resnet_16_4-{kind}-n{2 ** (k % 5)}-seed{k}'
      folder.mkdir(parents=True)
      status = {'failed': 'running', 'queued': 'stopped'}.get(kind, kind)
      update = {'finished': 100, 'queued': 0}.get(kind, 40)
      (folder / 'status.json').write_text(
          json.dumps({'status': status, 'update': update, 'updates': 100}))
      error = f'{_REASON.format(k % 2)} (exit status 1, {folder}/log.txt)'
      (folder / 'launch.json').write_text(json.dumps({
          'starts': 1, 'interruptions': k % 2 if kind == 'running' else 0,
          'error': error if kind == 'failed' else ''}))
      (folder / 'log.txt').write_text('error: no')
      if kind == 'running':
        began = time.strftime('%Y-%m-%dT%H:%M:%S', time.localtime(time.time() - 400))
        (folder / 'run.json').write_text(json.dumps(
            {'starts': [{'update': 0, 'time': began}]}))
        (folder / 'metrics.jsonl').write_text(json.dumps({'update': 40}) + '\n')
        lease = leases.Lease(folder / 'launcher.lease')
        assert lease.acquire()
        held.append(lease)
  return held


@pytest.fixture
def workdir(tmp_path):
  path = tmp_path / ('a-folder-with-a-long-name-' * 4) / 'runs'
  held = _make(path, {'finished': 30, 'failed': 26, 'running': 25, 'queued': 24, 'diverged': 2})
  yield path
  for lease in held:
    lease.release()


def _found(workdir):
  return [states.state_of(jobs_lib.Job(path.name, epath.Path(path), ()))
          for path in sorted(workdir.iterdir())]


def _status(workdir, *flags):
  done = commands.run('launch.status', f'--workdir={workdir}', *flags)
  assert done.returncode == 0, done.stderr
  return done.stdout


def test_a_summary_comes_first_and_then_what_runs_and_what_failed(workdir):
  lines = _status(workdir).splitlines()
  assert lines[0] == (f'{workdir}: 107 runs: 26 failed, 25 running, 2 diverged, 24 queued, '
                      '30 finished')
  # 30 and 2 whole runs, 26 and 25 at 40 of 100 updates.
  assert lines[1].startswith(f'{(3200 + 51 * 40) / 10700:.1%} of the updates, about ')
  grouped = [line for line in lines if line.startswith('failed, ')]
  assert grouped == [f'failed, 26 runs: {_REASON.format(0)} (exit status 1)']
  assert 'queued, 24 runs: stopped before' in lines
  running = [line for line in lines if re.search('│ .*-running-', line)]
  assert len(running) == 20 and all('40/100' in line for line in running)
  assert 'and 5 more: --running' in lines and 'and 6 more: --failed' in lines
  failed = [line for line in lines if '-failed-' in line]
  assert len(failed) == 20
  for line in failed:
    # The whole path, on one line, whatever its length.
    assert re.search(rf'{re.escape(str(workdir))}/(\S+)/log\.txt', line)
  assert not any('-finished-' in line or '-queued-' in line for line in lines)


@pytest.mark.parametrize('kind, count', [('failed', 26), ('running', 25), ('all', 107)])
def test_all_of_them_on_request(workdir, kind, count):
  shown = _status(workdir, f'--{kind}')
  names = {path.name for path in workdir.iterdir() if kind in ('all', path.name.split('-')[1])}
  assert len(names) == count and all(name in shown for name in names)
  assert shown.startswith(f'{workdir}: 107 runs: ') and 'more: --' not in shown


def test_two_lists_at_once_are_refused(tmp_path):
  done = commands.run('launch.status', f'--workdir={tmp_path}', '--failed', '--all')
  assert done.returncode == 1 and 'one of --failed, --running and --all' in done.stderr


def test_a_look_needs_no_jax(workdir):
  code = ("import runpy, sys; sys.argv = ['status', '--workdir=' + sys.argv[1]]\n"
          "try:\n  runpy.run_module('launch.status', run_name='__main__')\n"
          'finally:\n  print(sorted({"jax", "tensorflow", "orbax", "haiku"} & set(sys.modules)))')
  done = subprocess.run([sys.executable, '-c', code, str(workdir)], cwd=commands.ROOT,
                        capture_output=True, text=True, check=False)
  assert '107 runs' in done.stdout and done.stdout.splitlines()[-1] == '[]', done.stderr


def test_each_file_is_read_once(workdir):
  opened, watched = [], [True]

  def note(event, args):
    if watched and event == 'open' and str(workdir) in str(args[0]):
      opened.append(str(args[0]))

  sys.addaudithook(note)  # For good: there is no way to take it away.
  assert len(_found(workdir)) == 107
  watched.clear()
  files = [path for path in opened if path.endswith(('.json', '.jsonl', '.lease'))]
  assert len(files) == len(set(files))
  # What has ended is told by its status, and by what launchers noted.
  finished = [path for path in files if '-finished-' in path]
  assert len(finished) == 2 * 30


def test_a_launch_ends_with_the_summary(workdir, capsys):
  jobs = [jobs_lib.Job(path.name, epath.Path(path), ()) for path in sorted(workdir.iterdir())]
  view.print_table(jobs)
  lines = capsys.readouterr().err.splitlines()
  assert lines[0].startswith('107 runs: 26 failed, 25 running')
  assert not any('-finished-' in line or '-queued-' in line for line in lines)


def test_the_time_left_counts_what_waits_at_the_speed_of_what_runs():
  states_ = [states.State('a', 'running', 50, 100, seconds_left=10.0),
             states.State('b', 'running', 90, 100, seconds_left=2.0),
             states.State('c', 'queued'), states.State('d', 'finished', 100, 100),
             states.State('e', 'not selected', 3, 100)]
  share, left = summary.progress_of(states_)
  # Two runs go at 5 updates a second each; 60 updates of theirs and 100 of another are to come.
  assert share == pytest.approx(240 / 400) and left == pytest.approx(160 / 10)
  assert summary.progress_of([states.State('c', 'queued')]) == (None, None)
  share, left = summary.progress_of([states.State('a', 'running', 3, 100)])
  assert share == 0.03 and left is None


def test_what_is_written_in_a_status_is_no_traceback(tmp_path):
  folder = tmp_path / 'run[]\x1b[2J'
  folder.mkdir()
  (folder / 'status.json').write_text(json.dumps(
      {'status': 'x[/]\x1b[2J', 'update': 'many', 'updates': None, 'reason': ['[link=http://x]']}))
  (folder / 'launch.json').write_text(json.dumps({'error': '[/red] \x1b]8;;http://x\x07 no'}))
  for flags in ((), ('--failed',), ('--all',)):
    done = commands.run('launch.status', f'--workdir={tmp_path}', *flags)
    assert done.returncode == 0, done.stderr
    assert '[/red] \\x1b]8;;http://x\\x07 no' in done.stdout and '\x1b' not in done.stdout
