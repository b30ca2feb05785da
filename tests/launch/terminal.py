"""Runs a command on a terminal of its own and reads what it shows."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time

from tests import commands

_ESCAPES = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')
_CURSOR_ON = '\x1b[?25h'


def plain(text: str) -> str:
  """Returns what is shown, without colours and movements."""
  return _ESCAPES.sub('', text)


class Terminal:
  """A terminal of 50 lines by 160 columns with one command on it."""

  def __init__(self, *args: str):
    """Starts `python -m args`."""
    self._master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (50, 160))
    self.process = subprocess.Popen(
        [sys.executable, '-m', *args], cwd=commands.ROOT, stdin=slave, stdout=slave, stderr=slave,
        env={**commands.environment(), 'TERM': 'xterm'})
    os.close(slave)
    self._raw = ''

  @property
  def text(self) -> str:
    """All that was shown until now."""
    return plain(self._raw)

  def read_until(self, pattern: str, seconds: float = 100) -> None:
    """Waits until something is shown; fails the test if it never is."""
    began = time.monotonic()
    while not re.search(pattern, self.text):
      assert time.monotonic() - began < seconds and self._read(), (
          f'{pattern!r} was not shown, but:\n{self.text}')

  def end(self) -> int:
    """Reads to the end; returns the exit status, with the cursor visible again."""
    began = time.monotonic()
    while self._read():
      assert time.monotonic() - began < 100, f'it does not end:\n{self.text}'
    os.close(self._master)
    assert self._raw.rfind(_CURSOR_ON) > self._raw.rfind('\x1b[?25l')
    return self.process.wait(100)

  def _read(self) -> bool:
    """Reads what comes within a second; returns whether there may be more."""
    if select.select([self._master], [], [], 1.0)[0]:
      try:
        self._raw += os.read(self._master, 1 << 16).decode(errors='replace')
      except OSError:  # Linux: nobody has it open any more.
        return False
    return True
