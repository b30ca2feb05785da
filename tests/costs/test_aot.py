"""What is said of a compilation that another process could not end."""

import signal
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
