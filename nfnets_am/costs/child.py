"""A process that answers one request, watched while it works and ended when it takes too long."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import os
import subprocess
import tempfile
import time

from nfnets_am.core import errors

# Between two looks at a process that works.
_LOOK_S = 1.0


def ask(command: Sequence[str], request: str, *, environment: Mapping[str, str],
        cwd: str | os.PathLike, limit_s: float = 0.0,
        waits: Callable[[float], None] = lambda seconds: None) -> subprocess.CompletedProcess:
  """Runs a command with a request on stdin, to its end.

  Args:
    command: of the process.
    request: text.
    environment: whole.
    cwd: of the process.
    limit_s: seconds after which it is killed; 0 is none.
    waits: called every second with the seconds that have gone by.

  Returns:
    Its exit status, stdout and stderr, as texts.

  Raises:
    UserError: it did not end within the limit.
  """
  with tempfile.TemporaryFile('w+') as file:
    # A pipe would have to be fed while the process is watched.
    file.write(request)
    file.seek(0)
    process = subprocess.Popen(command, stdin=file, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=environment, cwd=cwd)
  began = time.monotonic()
  try:
    while True:
      seconds = time.monotonic() - began
      left = limit_s - seconds if limit_s else _LOOK_S
      if left <= 0:
        raise errors.UserError(f'it was not compiled after {limit_s:,g} s, and was ended')
      try:
        out, err = process.communicate(timeout=min(_LOOK_S, left))
        return subprocess.CompletedProcess(command, process.returncode, out, err)
      except subprocess.TimeoutExpired:
        waits(time.monotonic() - began)
  finally:
    # Whoever leaves, by Ctrl-C too, leaves no compiler behind.
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()
