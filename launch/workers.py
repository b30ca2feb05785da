"""Processes that train one run after the other, as a launcher sees them."""

from collections.abc import Mapping
from collections.abc import Sequence
import json
import signal
import socket
import subprocess
import sys

# What a worker says when a run has finished.
DONE = b'.'
# Runs of one process: what libraries keep of each, bounded.
_MOST = 100
# An idle one that is told to leave has gone by then.
_LEAVE_S = 20.0


class Worker:
  """A process that waits for runs; see worker.py."""

  def __init__(self, leash: Sequence[str], environment: Mapping[str, str], log: str):
    """Starts it.

    Args:
      leash: words in front of its command.
      environment: whole, of its runs.
      log: path of the file that has what it says until its first run.
    """
    self._socket, theirs = socket.socketpair()
    with open(log, 'ab') as f, theirs:
      self._process = subprocess.Popen(
          [*leash, sys.executable, '-m', 'launch.worker'], stdin=theirs, stdout=f,
          stderr=subprocess.STDOUT, env=environment, start_new_session=True)
    self._run: Run | None = None
    self._runs = 0

  @property
  def busy(self) -> bool:
    """Whether it has a run."""
    return self._run is not None and self._run.poll() is None

  @property
  def spent(self) -> bool:
    """Whether it has no run and can have none."""
    return not self.busy and (self._runs >= _MOST or self._process.poll() is not None)

  def begin(self, flags: Sequence[str], log: str) -> 'Run':
    """Hands it a run; raises OSError if it is gone.

    Args:
      flags: of nfnets_am.train.
      log: path of the file that the run's output goes to.
    """
    self._socket.sendall(json.dumps([list(flags), log]).encode() + b'\n')
    self._runs += 1
    self._run = Run(self._process, self._socket)
    return self._run

  def leave(self) -> None:
    """Ends it, which has no run, and waits until it is gone: its devices are free then."""
    self._socket.close()
    try:
      self._process.wait(_LEAVE_S)
    except subprocess.TimeoutExpired:
      self._process.kill()
      self._process.wait()


class Run:
  """A run in a worker, with what a launcher needs of a subprocess.Popen."""

  def __init__(self, process: subprocess.Popen, line: socket.socket):
    self._process, self._socket = process, line
    self._code: int | None = None

  def poll(self) -> int | None:
    """Returns its exit status: 0 if the worker goes on, else the worker's; None while it runs."""
    if self._code is None:
      try:
        done = self._socket.recv(1, socket.MSG_DONTWAIT) == DONE
      except OSError:  # Nothing has come yet, or the process was killed.
        done = False
      self._code = 0 if done else self._process.poll()
    return self._code

  def send_signal(self, kind: signal.Signals) -> None:
    """Sends the process a signal."""
    self._process.send_signal(kind)

  def kill(self) -> None:
    """Kills the process."""
    self._process.kill()
