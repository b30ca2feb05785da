"""A stand-in for Slurm where there is none: its commands, on a state that is a file.

Jobs are processes of this machine and run their real script, two at a time and in their order.
Signals reach the tasks alone, as with Slurm's cgroups, and not the processes that these start.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import time

_COMMANDS = ('sbatch', 'squeue', 'scancel', 'scontrol', 'srun')
_NODES = 2
_LIVE = ('PENDING', 'RUNNING', 'COMPLETING')


@contextlib.contextmanager
def _state(path: str):
  """Yields the state, for nobody else to change meanwhile, and keeps what becomes of it."""
  with open(f'{path}.lock', 'w') as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    file = pathlib.Path(path)
    found = json.loads(file.read_text()) if file.exists() else {'jobs': {}, 'submitted': []}
    yield found
    file.write_text(json.dumps(found))


def put_before_path(folder: pathlib.Path, monkeypatch) -> pathlib.Path:
  """Puts the commands before all others; returns the file of the state."""
  state, bin_ = folder / 'slurm.json', folder / 'slurm-bin'
  bin_.mkdir()
  for name in _COMMANDS:
    (bin_ / name).write_text(
        f'#!/bin/sh\nexec {sys.executable} -S {__file__} {state} {name} "$@"\n')
    (bin_ / name).chmod(0o755)
  monkeypatch.setenv('PATH', f'{bin_}{os.pathsep}{os.environ["PATH"]}')
  return state


def sbatch(path: str, argv: list[str]) -> int:
  test = '--test-only' in argv
  # sbatch keeps the script as it is now.
  text = '' if test else pathlib.Path(argv[0]).read_text()
  words = argv if test else [
      word for line in text.splitlines() if line.startswith('#SBATCH ')
      for word in shlex.split(line.removeprefix('#SBATCH '))]
  flags = dict(word.partition('=')[::2] for word in words)
  if flags.get('--partition') == 'none':
    print('sbatch: error: Batch job submission failed: Invalid partition name specified',
          file=sys.stderr)
  if test or flags.get('--partition') == 'none':
    return int(flags.get('--partition') == 'none')
  with _state(path) as state:
    state['submitted'].append(flags)
    number = 1 + 100 * len(state['submitted'])
    last = re.match(r'0-(\d+)', flags.get('--array', ''))
    names = [f'{number}_{i}' for i in range(int(last[1]) + 1)] if last else [str(number)]
    state['jobs'] |= {name: {
        'state': 'PENDING', 'restarts': 0, 'pids': [], 'script': text, 'again': False,
        'nodes': int(flags['--nodes'])} for name in names}
  for name in names:
    subprocess.Popen([sys.executable, '-S', __file__, path, 'job', name], stdin=subprocess.DEVNULL,
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
  print(f'Submitted batch job {number}')
  return 0


def job(path: str, argv: list[str]) -> int:
  """The life of a job: it waits, and runs its script as often as it is requeued."""
  name = argv[0]
  number, _, index = name.partition('_')
  while True:
    with _state(path) as state:
      found = state['jobs'][name]
      if found['state'] == 'CANCELLED':
        return 0
      running = [one for one in state['jobs'].values() if one['state'] in _LIVE[1:]]
      first = next(key for key, one in state['jobs'].items() if one['state'] == 'PENDING')
      if len(running) < _NODES and first == name:
        found.update(state='RUNNING', again=False, pids=[])
        break
    time.sleep(0.1)
  environment = {
      **os.environ, 'SLURM_JOB_ID': str(int(number) + int(index or 0)), 'SLURM_JOB': name,
      'SLURM_NTASKS': str(found['nodes']), 'SLURM_NODES': str(found['nodes'])}
  if index:
    environment |= {'SLURM_ARRAY_JOB_ID': number, 'SLURM_ARRAY_TASK_ID': index}
  if found['restarts']:
    environment['SLURM_RESTART_COUNT'] = str(found['restarts'])
  code = subprocess.run(['bash', '-c', found['script']], env=environment, check=False).returncode
  with _state(path) as state:
    found = state['jobs'][name]
    if found['again']:
      found.update(state='PENDING', restarts=found['restarts'] + 1)
    elif found['state'] in _LIVE:
      found['state'] = 'FAILED' if code else 'COMPLETED'
  return job(path, argv) if found['again'] else 0


def srun(path: str, argv: list[str]) -> int:
  while argv[0].startswith('--'):
    argv = argv[1 if '=' in argv[0] or argv[0] == '--unbuffered' else 2:]
  processes = [subprocess.Popen(argv, env={
      **os.environ, 'SLURM_PROCID': str(i), 'SLURM_NODEID': str(i), 'SLURM_LOCALID': '0'})
               for i in range(int(os.environ['SLURM_NODES']))]
  with _state(path) as state:
    state['jobs'][os.environ['SLURM_JOB']]['pids'] = [process.pid for process in processes]
  return max(abs(process.wait()) for process in processes)


def squeue(path: str, argv: list[str]) -> int:
  with _state(path) as state:
    jobs = state['jobs']
  wanted = [word.removeprefix('--jobs=') for word in argv if word.startswith('--jobs=')]
  if wanted:
    print(jobs[wanted[0]]['state'])
    return 0
  assert '--me' in argv and '--array' in argv and '--states=all' in argv
  for name, found in jobs.items():
    number, _, index = name.partition('_')
    reason = 'Resources' if found['state'] == 'PENDING' else 'None'
    print(f'{number}|{index or "N/A"}|{found["state"]}|{reason}|{found["restarts"]}|')
  return 0


def scancel(path: str, argv: list[str]) -> int:
  flags = dict(word.partition('=')[::2] for word in argv[:-1])
  with _state(path) as state:
    found = state['jobs'][argv[-1]]
    if found['state'] not in _LIVE or ('--signal' in flags and found['state'] == 'PENDING'):
      return 1
    if '--signal' in flags:
      _signal(found, f'SIG{flags["--signal"]}')
    else:
      found['state'] = 'CANCELLED'
      _signal(found, 'SIGTERM')
  return 0


def scontrol(path: str, argv: list[str]) -> int:
  assert argv[0] == 'requeue'
  with _state(path) as state:
    found = state['jobs'][argv[1]]
    found.update(state='COMPLETING', again=True)
    _signal(found, 'SIGTERM')
  return 0


def _signal(found: dict, name: str) -> None:
  for pid in found['pids']:
    with contextlib.suppress(ProcessLookupError):
      os.kill(pid, signal.Signals[name])


if __name__ == '__main__':
  sys.exit(globals()[sys.argv[2]](sys.argv[1], sys.argv[3:]))
