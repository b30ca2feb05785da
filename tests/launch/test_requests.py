"""One run is cancelled, tried again and looked at, whoever works on it: launch.cancel and such."""

import json
import os
import signal
import subprocess
import sys
import threading

from etils import epath
import pytest

from launch import asking
from launch import following
from launch import jobs as jobs_lib
from launch import naming
from launch import states
from nfnets_am.core import errors
from tests import commands
from tests.launch import launcher


def _status(job):
  return states.state_of(job).status


def test_a_cancelled_run_saves_and_stays_until_it_is_restored(tmp_path):
  kinds = ('held', 'held', 'fine')
  held, other, fine = launcher.jobs(tmp_path, *kinds)
  with launcher.start(tmp_path, *kinds, at_once=1) as process:
    launcher.wait_for(lambda: states.progress(held.folder)[0] == 5)
    # One that waits is taken out of the queue, one that runs is stopped.
    assert asking.cancel(other) == 'no launcher starts it again'
    assert asking.cancel(held) == 'its launcher stops it'
    assert process.wait(100) == 0
  assert [_status(job) for job in (held, other, fine)] == ['cancelled', 'cancelled', 'finished']
  assert held.status()['status'] == 'stopped' and states.state_of(held).update == 5
  assert states.progress(other.folder)[0] == 0
  assert 'nothing is left' in asking.cancel(fine)
  # The same sweep again leaves them alone; restored, it goes on where it was.
  with launcher.start(tmp_path, *kinds) as process:
    assert process.wait(100) == 0
  assert (held.folder / 'begun.txt').read_text() == '0\n'
  assert 'goes on as soon as' in asking.restart(held)
  assert 'nothing keeps it' in asking.restart(held)
  with launcher.start(tmp_path, *kinds) as process:
    assert process.wait(100) == 0
  assert (held.folder / 'begun.txt').read_text() == '0\n5\n'
  assert [_status(job) for job in (held, other, fine)] == ['finished', 'cancelled', 'finished']


def test_a_launcher_tries_again_what_somebody_restarts(tmp_path):
  kinds = ('held', 'crash', 'fine')
  held, crash, fine = launcher.jobs(tmp_path, *kinds)
  with launcher.start(tmp_path, *kinds) as process:
    launcher.wait_for(lambda: _status(crash) == 'failed' and fine.ended)
    asking.restart(crash)
    launcher.wait_for(lambda: crash.record()['starts'] == 2 and _status(crash) == 'failed')
    asking.cancel(held)
    assert process.wait(100) == 1
  assert crash.record()['starts'] == 2


def test_a_run_without_a_launcher_is_told_itself(tmp_path):
  (held,) = launcher.jobs(tmp_path, 'held')
  held.folder.mkdir()
  with subprocess.Popen(held.command(), cwd=commands.ROOT) as process:
    launcher.wait_for(lambda: states.progress(held.folder)[0] == 5)
    assert asking.cancel(held) == f'process {process.pid} saves and leaves'
    assert process.wait(100) == 75
  assert _status(held) == 'cancelled'


@pytest.mark.parametrize('record, expected', [
    ({'resource': 'r-1', 'zone': 'z', 'project': 'p'},
     'gcloud compute tpus queued-resources delete r-1 --force --async --zone=z --project=p '
     '--format=json --quiet'),
    ({'skypilot': 'r-2'}, 'sky jobs cancel --yes --name r-2')])
def test_a_service_is_told_where_no_launcher_is(tmp_path, monkeypatch, record, expected):
  tool, _, _ = expected.partition(' ')
  program = tmp_path / 'bin' / tool
  program.parent.mkdir()
  program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/said\n')
  program.chmod(0o755)
  monkeypatch.setenv('PATH', f'{program.parent}:{os.environ["PATH"]}')
  (job,) = launcher.jobs(tmp_path / 'runs', 'fine')
  job.folder.mkdir(parents=True)
  job.note(starts=1, **record)
  assert asking.cancel(job) == f'{tool} stops it'
  assert f'{tool} {(tmp_path / "said").read_text().strip()}' == expected
  program.write_text('#!/bin/sh\necho "error: no right to it" >&2\nexit 1\n')
  assert asking.cancel(job) == 'not stopped: no right to it'
  assert _status(job) == 'cancelled'


def test_runs_are_named_by_folder_pattern_or_cell():
  found = [jobs_lib.Job(f'seed={i}', epath.Path(f'/w/run-seed{i}'), ()) for i in range(7)]
  of = lambda *names: [job.name[-1] for job in naming.names_of(found, names)]
  assert of('run-seed3') == ['3'] and of('seed=2', 'run-seed1') == ['1', '2']
  assert of('*[56]') == ['5', '6'] and of('*') == list('0123456')
  with pytest.raises(errors.UserError, match=r"no run 'run-sed3' \(did you mean 'run-seed3'\?\)"):
    of('run-sed3')
  with pytest.raises(errors.UserError, match='name at least one run.* and 2 more'):
    of()


def test_the_commands_take_names_and_flags_in_any_order(tmp_path):
  (job,) = launcher.jobs(tmp_path, 'fine')
  job.folder.mkdir()
  job.note(starts=1)
  (job.folder / 'log.txt').write_text(''.join(f'line {i}\n' for i in range(50)))
  said = commands.run('launch.logs', 'fine-0', f'--workdir={tmp_path}', '--lines=2')
  assert (said.returncode, said.stdout) == (0, 'line 48\nline 49\n'), said.stderr
  done = commands.run('launch.cancel', f'--workdir={tmp_path}', 'fine-0')
  assert (done.returncode, done.stdout) == (0, 'fine-0: no launcher starts it again\n'), done.stderr
  done = commands.run('launch.restart', f'--workdir={tmp_path}', 'fine-1')
  assert done.returncode == 1 and "there is no run 'fine-1'" in done.stderr


def test_a_log_is_followed_to_the_end_of_the_run(tmp_path):
  (job,) = launcher.jobs(tmp_path, 'fine')
  job.folder.mkdir()
  job.note(starts=1)
  log, said = job.folder / 'log.txt', []
  thread = threading.Thread(target=following.show, args=(job, 1, True, said.append))
  log.write_text('old\nfirst\n')
  thread.start()
  launcher.wait_for(lambda: said == ['first'])
  with open(log, 'a') as f:
    f.write('second\nthird\n')
  launcher.wait_for(lambda: said == ['first', 'second\nthird'])
  # A machine that begins anew has a shorter one.
  log.write_text('again\n')
  launcher.wait_for(lambda: said[2:] == ['again'])
  (job.folder / 'status.json').write_text(json.dumps({'status': 'finished', 'update': 8}))
  thread.join(100)
  assert said[3:] == ['(fine-0: finished)']


def test_no_output_is_said(tmp_path):
  (job,) = launcher.jobs(tmp_path, 'fine')
  with pytest.raises(errors.UserError, match='has no output in .*fine-0 yet; allowed: --follow'):
    following.show(job, 1, False, print)


def test_the_process_that_holds_a_folder_is_found(tmp_path):
  assert states.locker(tmp_path) is None
  code = ('import fcntl, sys, time; f = open(sys.argv[1], "w"); fcntl.flock(f, fcntl.LOCK_EX); '
          'print(flush=True); time.sleep(100)')
  with subprocess.Popen([sys.executable, '-c', code, str(tmp_path / '.lock')],
                        stdout=subprocess.PIPE) as process:
    process.stdout.readline()
    assert states.locker(tmp_path) == process.pid
    process.send_signal(signal.SIGKILL)
  assert states.locker(tmp_path) is None
