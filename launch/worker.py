"""A process that trains one run after the other: a command comes in, a byte goes out.

    python -m launch.worker     started by launch/workers.py, with a socket as its stdin

A run has its own flags, arguments and log, and a process' imports, data and compiled programs from
the run before (nfnets_am/training/warm.py). Only a run that finishes leaves the process to the next
one. Whatever else becomes of it, an error, a signal, a loss that is not finite, ends the process as
it ends `python -m nfnets_am.train`.
"""

import json
import os
import socket
import sys

from launch import workers
from nfnets_am import train
from nfnets_am.core import cli
from nfnets_am.training import warm as warm_lib


def main() -> int:
  # The runs have no stdin, as those that are started alone.
  line = socket.socket(fileno=os.dup(0))
  with open(os.devnull, 'rb') as nothing:
    os.dup2(nothing.fileno(), 0)
  warm = warm_lib.Warm()
  for text in line.makefile('r'):
    flags, log = json.loads(text)
    with open(log, 'ab') as f:
      for fd in (1, 2):
        os.dup2(f.fileno(), fd)
    # What is recorded as the run's command.
    sys.argv = [train.__file__, *flags]
    cli.parse_again(sys.argv, train.take)
    code = train.main(warm)
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
      return code
    try:
      line.sendall(workers.DONE)
    except OSError:  # The launcher is gone.
      break
  return 0


if __name__ == '__main__':
  cli.run(main)
