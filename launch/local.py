"""Runs on this machine: a process for one after the other, or several together for each."""

import collections
from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import os
import shlex
import signal
import socket
import subprocess
import sys
import time

from absl import logging

from launch import deaths
from launch import devices as devices_lib
from launch import dry_run
from launch import jobs as jobs_lib
from launch import scheduler
from launch import states
from launch import workers
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.storage import leases

# So old the log of a run in a bucket is at most, there.
_SHOW_S = 60.0
# When one process of a run is gone, the others notice within this time by themselves
# (nfnets_am.train: its heartbeat), or are ended.
_LEAVE_S = 120.0
# Linux sends a process SIGTERM when its launcher is killed; its place is taken by the command then.
_LEASH = (
    sys.executable, '-S', '-c',
    'import ctypes, os, signal, sys; ctypes.CDLL(None).prctl(1, signal.SIGTERM); '
    'os.execvp(sys.argv[1], sys.argv[1:])') if sys.platform == 'linux' else ()


def launch(get_jobs: Callable[[], Sequence[jobs_lib.Job]], options: jobs_lib.Options) -> int:
  """Runs a sweep on this machine; see scheduler.Scheduler.run.

  Raises:
    ConfigError: a run cannot have so many devices of this machine.
  """
  slots = ()
  if options.devices_per_run:
    if options.processes > 1 or options.devices:
      raise errors.ConfigError(
          '--devices_per_run with --processes or --devices, which are of all devices; allowed: one '
          'of them')
    slots = tuple(devices_lib.slots(options.devices_per_run))
  here = Local(options.processes, options.devices, slots, options.warm)
  if options.dry_run:
    dry_run.show(get_jobs(), lambda job: '\n'.join(map(shlex.join, here.commands(job, 'PORT'))))
    return 0
  try:
    return scheduler.Scheduler(
        here, at_once=len(slots) or options.jobs, restarts=options.restarts,
        give_up=options.give_up).run(get_jobs)
  finally:
    here.close()


@dataclasses.dataclass(frozen=True)
class Local:
  """Starts runs as processes of this machine.

  Attributes:
    processes: of each run; they work on it together, as the hosts of a slice do.
    devices: CPU devices of each process; 0 leaves the environment as it is.
    slots: environments of the runs that have devices of their own; as many run at a time.
    warm: whether a process goes on with the next run where it can; see workers.py.
    first: number of the first process among those of a run on several hosts, for its log.
    noted: see scheduler.Backend.
    on_stop: see scheduler.Backend.
  """

  processes: int = 1
  devices: int = 0
  slots: tuple[dict[str, str], ...] = ()
  warm: bool = False
  first: int = 0
  noted: str = ''
  on_stop: str = 'stopping: the runs save their last update'
  # Who has which slot, or had it last.
  _taken: dict[int, 'LocalRun'] = dataclasses.field(default_factory=dict, compare=False)
  # Processes that stay, by their slot; without slots by None.
  _workers: dict[int | None, list[workers.Worker]] = dataclasses.field(
      default_factory=lambda: collections.defaultdict(list), compare=False)

  def start(self, job: jobs_lib.Job) -> 'LocalRun':
    """Starts the processes of a run; their output goes to log.txt in its folder."""
    commands = self.commands(job, _free_port() if self.processes > 1 else 0)
    # XLA's CPU backend gives its buffers back to the kernel after every step and asks for them
    # again, a third of the time of a small model; with these glibc keeps them.
    environment = {'MALLOC_TOP_PAD_': str(256 << 20), 'MALLOC_TRIM_THRESHOLD_': str(16 << 30),
                   **os.environ, 'PYTHONUNBUFFERED': '1'}
    if self.devices:
      environment |= {
          'JAX_PLATFORMS': 'cpu', 'NPROC': '16',
          'XLA_FLAGS': f'{os.environ.get("XLA_FLAGS", "")} '
                       f'--xla_force_host_platform_device_count={self.devices}'}
    slot = next((i for i in range(len(self.slots))
                 if i not in self._taken or self._taken[i].stopped()), None)
    if self.slots:
      environment |= self.slots[slot]
    folder = job.folder if leases.is_local(job.folder) else _log_folder(job)
    os.makedirs(folder, exist_ok=True)
    logs = [os.path.join(folder, f'log{i or ""}.txt')
            for i in range(self.first, self.first + self.processes)]
    run = LocalRun(job, logs)
    if self._stays(job):
      run.processes.append(self._begin(slot, job, environment, logs[0]))
    else:
      self._make_room(slot)
      for command, path in zip(commands, logs, strict=True):
        with open(path, 'ab') as log:
          run.processes.append(subprocess.Popen(
              [*_LEASH, *command], stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
              env=environment,
              # A session of its own: Ctrl-C in the terminal reaches the launcher alone.
              start_new_session=True))
    if self.slots:
      self._taken[slot] = run
    return run

  def close(self) -> None:
    """Ends the processes that wait for runs."""
    for slot in list(self._workers):
      self._make_room(slot)

  def _stays(self, job: jobs_lib.Job) -> bool:
    """Whether a run may have a process that goes on; one that killed its own has a new one."""
    return (self.warm and self.processes == 1 and job.program == jobs_lib.TRAIN
            and not job.record()['deaths'])

  def _begin(self, slot: int | None, job: jobs_lib.Job, environment: dict[str, str], log: str
             ) -> workers.Run:
    flags = job.command()[len(job.program):]
    for worker in list(self._workers[slot]):
      if worker.spent:
        self._workers[slot].remove(worker)
        worker.leave()
      elif not worker.busy:
        try:
          return worker.begin(flags, log)
        except OSError:  # Killed just now.
          continue
    self._workers[slot].append(workers.Worker(_LEASH, environment, log))
    return self._workers[slot][-1].begin(flags, log)

  def _make_room(self, slot: int | None) -> None:
    """Ends the processes of a slot that wait: another one is to have its devices and memory."""
    for worker in [one for one in self._workers[slot] if not one.busy]:
      self._workers[slot].remove(worker)
      worker.leave()

  def busy(self, job: jobs_lib.Job) -> bool:
    """Whether a training process holds the folder, such as one that outlives its launcher."""
    return states.locked(job.folder)

  def commands(self, job: jobs_lib.Job, port: int | str) -> list[list[str]]:
    """Returns the argument lists of a run's processes."""
    if self.processes == 1:
      return [job.command()]
    return [job.command(f'--coordinator=127.0.0.1:{port}', f'--num_processes={self.processes}',
                        f'--process_id={i}') for i in range(self.processes)]


class LocalRun:
  """The processes of one run; whoever makes it adds them."""

  def __init__(self, job: jobs_lib.Job, logs: list[str]):
    self.processes: list[subprocess.Popen | workers.Run] = []
    self._job, self._logs = job, logs
    # Of the logs before it, if there are any.
    self._sizes = [os.path.getsize(path) if os.path.exists(path) else 0 for path in logs]
    self._asked = False
    self._shown = time.monotonic()
    # When the first process was seen gone while others went on.
    self._first_gone: float | None = None

  def poll(self) -> jobs_lib.Ending | None:
    """Returns how the run ended, once all its processes have."""
    codes = [process.poll() for process in self.processes]
    self._show(None not in codes)
    if None in codes:
      if any(code is not None for code in codes):
        self._first_gone = self._first_gone or time.monotonic()
        if time.monotonic() - self._first_gone > _LEAVE_S:
          self._kill()
      return None
    # A run that was to go as far as a stage leaves as if it were told to stop.
    if codes[0] in (0, cli.EXIT_DIVERGED, cli.EXIT_STOPPED) and self._job.done:
      return jobs_lib.Ending(jobs_lib.End.DONE)
    # A process that was killed takes the others with it; they end with errors that are not theirs,
    # or JAX aborts them.
    killed = {signal.Signals(-code) for code in codes if code < 0}
    if killed:
      names = ', '.join(sorted(kind.name for kind in killed - {signal.SIGABRT} or killed))
      return jobs_lib.Ending(
          jobs_lib.End.AGAIN, f'killed by {names}', '' if self._asked else deaths.of(names))
    if cli.EXIT_STOPPED in codes:
      return jobs_lib.Ending(jobs_lib.End.AGAIN, 'stopped by a signal')
    text = self._tail(next(i for i, code in enumerate(codes) if code or i == len(codes) - 1))
    return jobs_lib.Ending(
        jobs_lib.End.FAILED, f'{jobs_lib.last_error(text)} (exit status '
        f'{", ".join(map(str, sorted(set(codes))))}, {self._logs[0]})')

  def stop(self) -> None:
    """Asks every process to save and leave."""
    if not self._asked:
      self._asked = True
      for process in self.processes:
        if process.poll() is None:
          process.send_signal(signal.SIGTERM)

  def stopped(self) -> bool:
    """Whether all processes are gone."""
    return all(process.poll() is not None for process in self.processes)

  def _kill(self) -> None:
    for process in self.processes:
      if process.poll() is None:
        process.kill()

  def _show(self, last: bool) -> None:
    """Brings the log of a run in a bucket there, for whoever follows it from elsewhere."""
    if leases.is_local(self._job.folder) or not (
        last or time.monotonic() - self._shown > _SHOW_S):
      return
    self._shown = time.monotonic()
    try:
      with open(self._logs[0], 'rb') as log:
        (self._job.folder / 'log.txt').write_bytes(log.read())
    except Exception as e:
      # A log is no part of the run.
      if not errors.is_storage(e):
        raise
      logging.warning('%s: its log cannot be shown in %s: %s', self._job.name, self._job.folder, e)

  def _tail(self, index: int) -> str:
    """Returns what a process wrote since it was started."""
    with open(self._logs[index], 'rb') as f:
      f.seek(self._sizes[index])
      return f.read().decode(errors='replace')


def _log_folder(job: jobs_lib.Job) -> str:
  """Where the output of a run in a bucket goes."""
  return os.path.join('logs', job.folder.name)


def _free_port() -> int:
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    return s.getsockname()[1]
