"""Runs jobs as processes of this machine, a few at a time, with one view of how far they are."""

from collections.abc import Sequence
import dataclasses
import os
import pathlib
import signal
import subprocess
import sys
import time

from absl import logging
from rich import console
from rich import table

from nfnets_am import cli
from nfnets_am import metrics
from nfnets_am import run_folder

# What a run of a finished or diverged status would only say again.
_DONE = ('finished', 'diverged')


@dataclasses.dataclass(frozen=True)
class Job:
  """One run.

  Attributes:
    name: of its cell.
    folder: of the run.
    flags: of nfnets_am.train, but for the workdir.
  """

  name: str
  folder: pathlib.Path
  flags: tuple[str, ...]

  def command(self) -> list[str]:
    """Returns the argument list that trains it; no shell reads it."""
    return [sys.executable, '-m', 'nfnets_am.train', *self.flags, f'--workdir={self.folder}']

  def status(self) -> dict:
    """Returns its status.json."""
    return run_folder.RunFolder(self.folder).status()


def run(jobs: Sequence[Job], at_once: int) -> int:
  """Runs what is not done; a job that fails does not stop the others.

  Args:
    jobs: in order; those finished or diverged are left alone.
    at_once: processes at a time.

  Returns:
    Exit status: 0 if all finished or diverged, 75 if a signal stopped it, else 1.
  """
  waiting = [job for job in jobs if job.status()['status'] not in _DONE]
  logging.info('%d runs, %d of them done before', len(jobs), len(jobs) - len(waiting))
  running: dict[Job, subprocess.Popen] = {}
  stopped = False
  said = time.monotonic()
  try:
    while waiting or running:
      while waiting and len(running) < at_once:
        job = waiting.pop(0)
        running[job] = _start(job)
        logging.info('started %s', job.name)
      time.sleep(0.2)
      for job, process in list(running.items()):
        if process.poll() is not None:
          del running[job]
          logging.info('%s: %s', job.name, _outcome(job, process.returncode))
      if time.monotonic() - said > 15:
        said = time.monotonic()
        logging.info('; '.join(f'{job.name} at update {_progress(job)}' for job in running))
  except KeyboardInterrupt:
    stopped = True
    logging.info('stopping: the runs save their last update')
    for process in running.values():
      process.send_signal(signal.SIGTERM)
    for process in running.values():
      process.wait()
  _print(jobs)
  if stopped:
    return cli.EXIT_STOPPED
  return 0 if all(job.status()['status'] in _DONE for job in jobs) else 1


def _start(job: Job) -> subprocess.Popen:
  """Starts a job in a session of its own: Ctrl-C in the terminal reaches the launcher alone."""
  job.folder.mkdir(parents=True, exist_ok=True)
  # XLA's CPU backend gives its buffers back to the kernel after every step and asks for them again,
  # a third of the time of a small model; with these glibc keeps them.
  keep = {'MALLOC_TOP_PAD_': str(256 << 20), 'MALLOC_TRIM_THRESHOLD_': str(16 << 30)}
  with open(job.folder / 'log.txt', 'ab') as log:
    return subprocess.Popen(job.command(), stdout=log, stderr=subprocess.STDOUT,
                            stdin=subprocess.DEVNULL, start_new_session=True,
                            env={**keep, **os.environ, 'PYTHONUNBUFFERED': '1'})


def _progress(job: Job) -> str:
  lines = metrics.read(job.folder / 'metrics.jsonl')
  return f'{lines[-1]["update"] if lines else 0} of {job.status().get("updates", "?")}'


def _outcome(job: Job, exit_status: int) -> str:
  status = job.status()
  if status['status'] in _DONE:
    return f'{status["status"]} at update {status["update"]}'
  return f'ended with exit status {exit_status}, see {job.folder / "log.txt"}'


def _print(jobs: Sequence[Job]) -> None:
  rows = table.Table('run', 'status', 'update', 'why')
  for job in jobs:
    status = job.status()
    rows.add_row(job.name, status['status'], str(status.get('update', '')),
                 status.get('reason', ''))
  console.Console(stderr=True).print(rows)
