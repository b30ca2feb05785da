"""Commands without their imports: a process that has imported what they do forks for each of them.

To import JAX, TensorFlow and the package takes a command 2 to 7 s of CPU time, most of what many
tests would cost. Only imports are shared, the bundled set, and the order of sets: a server starts
no backend.

    python -m tests.forks    a server: a line in says what to run, or whose end to tell; a line out
                             is the new process, or how it ended
"""

import atexit
import concurrent.futures
import functools
import gc
import importlib
import json
import os
import pathlib
import runpy
import select
import signal
import subprocess
import sys
from typing import Any

_ROOT = pathlib.Path(__file__).resolve().parent.parent
# In these a command's environment may differ from its server's; others are read at imports.
_FREE = {'XLA_FLAGS', 'PYTEST_CURRENT_TEST'}
# As it was when this test began.
_at_first = dict(os.environ)
_IMPORTS = ('nfnets_am.training.loop', 'nfnets_am.sweeps.config_flag', 'nfnets_am.sweeps.outcomes')


def note_environment() -> None:
  """Says that a test begins: what differs later from now is its own doing."""
  _at_first.clear()
  _at_first.update(os.environ)


def start(module: str, flags: tuple[str, ...], env: dict[str, str], seconds: int
          ) -> 'Process | None':
  """Starts `python -m module flags` in a fork.

  Args:
    module: its name.
    flags: its arguments.
    env: its whole environment.
    seconds: after which it is killed.

  Returns:
    As subprocess.Popen with pipes; None if its environment asks for imports of its own.
  """
  server = _server()
  return Process(server, module, flags, env, seconds) if server.suits(env) else None


class Process:
  """A fork, with those parts of subprocess.Popen that tests use."""

  def __init__(self, server: '_Server', module: str, flags: tuple[str, ...], env: dict[str, str],
               seconds: int):
    self.args = [sys.executable, '-m', module, *flags]
    self.returncode: int | None = None
    self._server = server
    (out, out_end), (err, err_end) = os.pipe(), os.pipe()
    self.stdout, self.stderr = (open(fd, encoding='utf-8', errors='replace') for fd in (out, err))
    # The server opens its own ends of the pipes before it answers.
    ends = [f'/proc/{os.getpid()}/fd/{fd}' for fd in (out_end, err_end)]
    self.pid = server.ask([module, *flags, seconds, env, ends])
    os.close(out_end)
    os.close(err_end)
    # Whoever is no parent may not wait for a process, but sees when it has ended.
    self._ended = os.pidfd_open(self.pid)

  def __enter__(self) -> 'Process':
    return self

  def __exit__(self, *_: Any) -> None:
    self.stdout.close()
    self.stderr.close()
    self.wait()
    os.close(self._ended)

  def wait(self, timeout: float | None = None) -> int:
    """Returns the exit status; raises subprocess.TimeoutExpired."""
    if self.returncode is None:
      if not select.select([self._ended], [], [], timeout)[0]:
        raise subprocess.TimeoutExpired(self.args, timeout)
      self.returncode = self._server.ask(self.pid)
    return self.returncode

  def poll(self) -> int | None:
    """Returns the exit status, or None before the end."""
    try:
      return self.wait(0)
    except subprocess.TimeoutExpired:
      return None

  def send_signal(self, number: int) -> None:
    """Sends a signal, unless the process has ended."""
    if self.poll() is None:
      signal.pidfd_send_signal(self._ended, number)

  def kill(self) -> None:
    """Kills the process."""
    self.send_signal(signal.SIGKILL)

  def communicate(self, timeout: float | None = None) -> tuple[str, str]:
    """Returns what is left of both outputs, at the end; raises subprocess.TimeoutExpired."""
    with concurrent.futures.ThreadPoolExecutor() as threads:
      outputs = [threads.submit(stream.read) for stream in (self.stdout, self.stderr)]
      try:
        self.wait(timeout)
      except subprocess.TimeoutExpired:
        self.kill()
        raise
      return tuple(output.result() for output in outputs)


class _Server:
  """A process that forks, for as long as this one lives."""

  def __init__(self):
    self._before = dict(_at_first)
    self.process = subprocess.Popen(
        [sys.executable, '-m', 'tests.forks'], cwd=_ROOT, env=self._before, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    atexit.register(self.process.communicate)

  def suits(self, env: dict[str, str]) -> bool:
    """Whether a command with this environment would import what is imported here.

    Libraries that a test's process imports set variables (TensorFlow seven), some when first used,
    and they stay. So each may be as it was at the beginning of this test, or of the one that made
    the server.
    """
    return all(env.get(key) in (self._before.get(key), _at_first.get(key))
               for key in (env.keys() | self._before) - _FREE)

  def ask(self, request: Any) -> int:
    self.process.stdin.write(json.dumps(request) + '\n')
    self.process.stdin.flush()
    return int(self.process.stdout.readline())


_server = functools.cache(_Server)


def _serve() -> None:
  """Answers each line of the input; returns in each fork, and exits at the end of the input."""
  for name in _IMPORTS:
    importlib.import_module(name)
  from nfnets_am.data import tensorflow
  from nfnets_am.data.memory import sources
  tensorflow.import_tensorflow()
  sources.load('fashion_mnist_small')
  # What is here stays: no fork needs to look for garbage in it.
  gc.freeze()
  replies = os.fdopen(os.dup(1), 'w')
  for line in sys.stdin:
    request = json.loads(line)
    if isinstance(request, int):
      answer = os.waitstatus_to_exitcode(os.waitpid(request, 0)[1])
    else:
      *argv, seconds, env, ends = request
      opened = [os.open(os.devnull, os.O_RDONLY), *(os.open(end, os.O_WRONLY) for end in ends)]
      answer = os.fork()
      if not answer:
        _become(argv, seconds, env, opened)
        return
      for fd in opened:
        os.close(fd)
    print(answer, file=replies, flush=True)
  sys.exit()


def _become(argv: list[str], seconds: int, env: dict[str, str], opened: list[int]) -> None:
  """Gives this process a command's arguments, environment, files and time."""
  for fd, own in enumerate(opened):
    os.dup2(own, fd)
    os.close(own)
  os.environ.clear()
  os.environ.update(env)
  signal.alarm(seconds)
  sys.argv = argv


if __name__ == '__main__':
  _serve()
  runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
