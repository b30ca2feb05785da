"""A process that answers a request is watched, and does not outlive its limit."""

import os
import subprocess
import sys
import time

import pytest

from nfnets_am.core import errors
from nfnets_am.costs import child

_SLOW = 'import os, sys, time; print(os.getpid(), file=open(sys.argv[1], "w")); time.sleep(60)'


def _ask(code, *arguments, request='', **settings):
  return child.ask((sys.executable, '-S', '-c', code, *arguments), request,
                   environment=os.environ, cwd='.', **settings)


def test_a_request_longer_than_a_pipe_is_answered_while_it_is_watched(monkeypatch):
  monkeypatch.setattr(child, '_LOOK_S', 0.1)
  seen = []
  code = ('import sys, time; time.sleep(0.5); text = sys.stdin.read(); '
          'print(len(text)); print("said", file=sys.stderr); sys.exit(3)')
  done = _ask(code, request='x' * 300_000, limit_s=50, waits=seen.append)
  assert (done.returncode, done.stdout, done.stderr) == (3, '300000\n', 'said\n')
  assert len(seen) >= 3 and seen == sorted(seen) and seen[0] >= 0.1


def test_the_limit_ends_it(tmp_path):
  file, began = tmp_path / 'pid', time.monotonic()
  with pytest.raises(errors.UserError, match='not compiled after 1 s'):
    _ask(_SLOW, str(file), limit_s=1)
  assert 1 <= time.monotonic() - began < 30
  with pytest.raises(ProcessLookupError):
    os.kill(int(file.read_text()), 0)


def test_who_leaves_while_it_works_leaves_nothing_behind(tmp_path):
  file = tmp_path / 'pid'

  def interrupt(seconds):
    while not file.exists() or not file.read_text():
      time.sleep(0.01)
    raise KeyboardInterrupt

  with pytest.raises(KeyboardInterrupt):
    _ask(_SLOW, str(file), waits=interrupt)
  with pytest.raises(ProcessLookupError):
    os.kill(int(file.read_text()), 0)


def test_without_a_limit_it_ends_by_itself():
  done = _ask('print("fine")')
  assert isinstance(done, subprocess.CompletedProcess) and done.stdout == 'fine\n'
