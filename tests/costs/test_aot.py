"""What is said of a compilation that another process could not end."""

import signal
import subprocess
import sys

import pytest

from nfnets_am.core import errors
from nfnets_am.costs import aot

_STEP = aot.Step('{}', 'v3:2x2x1', 32, (32, 32, 3), 10)


@pytest.mark.parametrize('kind, words', [
    (signal.SIGKILL, 'by SIGKILL, as the kernel does when the memory'),
    (signal.SIGSEGV, 'by SIGSEGV, a fault of the compiler'),
])
def test_a_signal_that_ends_the_compiler_is_named(monkeypatch, kind, words):
  monkeypatch.setattr(aot, 'is_available', lambda: True)
  monkeypatch.setattr(aot, '_COMMAND', (
      sys.executable, '-S', '-c', f'import os; os.kill(os.getpid(), {int(kind)})'))
  with pytest.raises(errors.UserError, match=words):
    aot.cost(_STEP)


@pytest.mark.parametrize('hard, found', [('2097152', 2**30), ('4096', 4096 * 1024)])
def test_the_compiler_has_a_deep_stack_where_the_system_allows_it(hard, found):
  shown = 'import resource; print(resource.getrlimit(resource.RLIMIT_STACK)[0])'
  done = subprocess.run(
      ['bash', '-c', 'ulimit -S -s 4096; ulimit -H -s "$0"; exec "$@"', hard, *aot.DEEP,
       sys.executable, '-S', '-c', shown], text=True, capture_output=True, check=True)
  assert int(done.stdout) == found and not done.stderr
