"""Commands without their imports: a process that has imported what they do forks for each of them.

To import JAX, TensorFlow and the package takes a command 2 to 7 s of CPU time, most of what many
tests would cost. Only imports are shared, and the order of sets: a server starts no backend.

    python -m tests.forks    a server: a line in says what to run, a line out how it ended
"""

import atexit
import functools
import gc
import importlib
import json
import os
import pathlib
import runpy
import signal
import subprocess
import sys
import tempfile

_ROOT = pathlib.Path(__file__).resolve().parent.parent
# In these a command's environment may differ from its server's, which is that of before any test;
# others are read at imports.
_FREE = {'XLA_FLAGS', 'PYTEST_CURRENT_TEST'}
_ENVIRONMENT = dict(os.environ)
_IMPORTS = ('nfnets_am.training.loop', 'nfnets_am.sweeps.config_flag', 'nfnets_am.sweeps.outcomes')


def run(module: str, flags: tuple[str, ...], env: dict[str, str], seconds: int
        ) -> subprocess.CompletedProcess | None:
  """Runs `python -m module flags` to its end in a fork.

  Args:
    module: its name.
    flags: its arguments.
    env: its whole environment.
    seconds: after which it is killed.

  Returns:
    As subprocess.run; None if its environment asks for a process of its own.
  """
  if _fixed(env) != _fixed(_ENVIRONMENT):
    return None
  server = _server()
  with tempfile.TemporaryDirectory() as folder:
    outputs = [os.path.join(folder, name) for name in ('out', 'err')]
    server.process.stdin.write(json.dumps([module, *flags, seconds, env, outputs]) + '\n')
    server.process.stdin.flush()
    code = int(server.process.stdout.readline())
    out, err = (pathlib.Path(path).read_text() for path in outputs)
  return subprocess.CompletedProcess([sys.executable, '-m', module, *flags], code, out, err)


class _Server:
  """A process that forks, for as long as this one lives."""

  def __init__(self):
    self.process = subprocess.Popen(
        [sys.executable, '-m', 'tests.forks'], cwd=_ROOT, env=_ENVIRONMENT, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True)
    atexit.register(self.process.communicate)


_server = functools.cache(_Server)


def _fixed(env: dict[str, str]) -> dict[str, str]:
  return {key: value for key, value in env.items() if key not in _FREE}


def _serve() -> None:
  """Forks for each line of the input; returns in each fork, and exits at the end of the input."""
  for name in _IMPORTS:
    importlib.import_module(name)
  from nfnets_am.data import tensorflow
  tensorflow.import_tensorflow()
  # What is here stays: no fork needs to look for garbage in it.
  gc.freeze()
  replies = os.fdopen(os.dup(1), 'w')
  for line in sys.stdin:
    *argv, seconds, env, outputs = json.loads(line)
    child = os.fork()
    if not child:
      _become(argv, seconds, env, outputs)
      return
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=replies, flush=True)
  sys.exit()


def _become(argv: list[str], seconds: int, env: dict[str, str], outputs: list[str]) -> None:
  """Gives this process a command's arguments, environment, files and time."""
  replaced = os.open(os.devnull, os.O_RDONLY), *(
      os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for path in outputs)
  for fd, own in enumerate(replaced):
    os.dup2(own, fd)
    os.close(own)
  os.environ.clear()
  os.environ.update(env)
  signal.alarm(seconds)
  gc.set_threshold(50_000, 10, 10)
  sys.argv = argv


if __name__ == '__main__':
  _serve()
  runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
