"""Stands in for training in the tests of the launcher: the same files, signals and exit statuses.

`--config=KIND` says what becomes of it: fine, held (its first start goes on until a signal), crash,
diverge, killed_twice, segfault (always at update 4), stopped_once. `--until='4 updates'` is as that
of nfnets_am.train.
"""

import argparse
import fcntl
import json
import os
import signal
import sys
import time

from nfnets_am.storage import run_folder


def main() -> int:
  parser = argparse.ArgumentParser()
  parser.add_argument('--config')
  parser.add_argument('--workdir')
  parser.add_argument('--until', default='8 updates')
  known, _ = parser.parse_known_args()
  if known.config == 'crash':
    print('error: this config is refused', file=sys.stderr)
    return 1
  folder = run_folder.RunFolder(known.workdir)
  lock = open(folder.path / '.lock', 'w')
  try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    print('error: in use', file=sys.stderr)
    return 1
  stop = []
  signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
  metrics = folder.path / 'metrics.jsonl'
  first = len(metrics.read_text().splitlines()) if metrics.exists() else 0
  with open(folder.path / 'begun.txt', 'a') as f:
    f.write(f'{first}\n')
  starts = len((folder.path / 'begun.txt').read_text().splitlines())
  updates = 8
  folder.write('run.json', {'derived': {'updates_per_epoch': 4, 'views': 8, 'updates': updates}})
  folder.set_status('running', update=first, updates=updates)
  last = int(known.until.split()[0])
  for update in range(first + 1, updates + 1):
    time.sleep(0.05)
    if known.config == 'segfault' and update == 4:
      os.kill(os.getpid(), signal.SIGSEGV)
    with open(metrics, 'a') as f:
      f.write(json.dumps({'update': update, 'split': 'test', 'top1': 0.5}) + '\n')
    while known.config == 'held' and starts == 1 and update == 5 and not stop:
      time.sleep(0.05)
    if known.config == 'killed_twice' and starts <= 2:
      os.kill(os.getpid(), signal.SIGKILL)
    if stop or update == last < updates or (known.config == 'stopped_once' and starts == 1):
      folder.set_status('stopped', update=update, updates=updates)
      return 75
    if known.config == 'diverge':
      folder.set_status('diverged', update=update, updates=updates, reason='not finite')
      return 76
  folder.set_status('finished', update=updates, updates=updates)
  with open(folder.path / 'ended.txt', 'a') as f:
    f.write('to the end\n')
  return 0


if __name__ == '__main__':
  sys.exit(main())
