"""What a job of Slurm does with its nodes: one run, until it ends or is to be requeued.

submitit brings an object of this file to every node of the job, and again after each requeue. The
run is a process of its own, so that its death is seen. Here submitit's requeue and the exit status
of a saved run meet: submitit would ask Slurm for a requeue within the handler of the signal, when
nothing is saved yet, and would take a run that returns for one that has ended. So its handlers are
replaced: the signal is passed on, and whoever sees the run leave with 75 asks for the requeue.
"""

import dataclasses
import os
import signal
import subprocess
import time
from typing import Any

from absl import logging
from etils import epath

from launch import jobs as jobs_lib
from launch import local
from launch import slurm_words
from nfnets_am.storage import run_folder

# How the last start ended, for the launcher; of the job whose token it holds.
_END = 'slurm.json'
_POLL_S = 0.2
# In which Slurm ends the processes of a job that is requeued.
_TAKEN_S = 60.0


@dataclasses.dataclass(frozen=True)
class Task:
  """One run in the hands of Slurm.

  Attributes:
    name, folder, flags, program, until: of the run, as of jobs.Job.
    token: that the run's launch.json holds as long as it is this job that is to do it: another
      launcher, here or at another place, may have taken the run over while this job waited.
    nodes: of the job.
    requeues: at most.
  """

  name: str
  folder: str
  flags: tuple[str, ...]
  program: tuple[str, ...]
  until: str
  token: str
  nodes: int
  requeues: int

  def __call__(self) -> str:
    """Runs the run on this node; returns how it ended, for submitit's log."""
    job, node = self._job(), int(os.environ.get('SLURM_PROCID', 0))
    if not self._due(job):
      return 'left to others'
    asked: list[int] = []
    note = lambda kind, frame: asked.append(kind)
    signal.signal(signal.SIGTERM, note)
    # Slurm may signal all processes of a job. What is ignored stays so in the run's, whose own end
    # this signal would be.
    warning = getattr(signal, f'SIG{slurm_words.SIGNAL}')
    signal.signal(warning, signal.SIG_IGN)
    os.environ.update(self._devices())
    run = local.Local(first=node).start(job)
    signal.signal(warning, note)
    while (ending := run.poll()) is None:
      if asked:
        run.stop()
      time.sleep(_POLL_S)
    asked.clear()
    if node == 0 and self._goes_on(job, ending):
      until = time.monotonic() + _TAKEN_S
      while not asked and time.monotonic() < until:
        time.sleep(_POLL_S)
    return f'{ending.end.value}: {ending.reason}'

  def command(self) -> list[str]:
    """Returns what each node runs."""
    return self._job().command()

  def _job(self) -> jobs_lib.Job:
    flags = (*self.flags, *['--coordinator=auto'] * (self.nodes > 1))
    return jobs_lib.Job(self.name, epath.Path(self.folder), flags, self.program, self.until)

  def _due(self, job: jobs_lib.Job) -> bool:
    """Whether it is this job that is to do the run."""
    return token_of(job.record()) == self.token and not job.done

  def _devices(self) -> dict[str, str]:
    """JAX takes one GPU for each process of Slurm's; here a process has all those of its node."""
    given = os.environ.get('CUDA_VISIBLE_DEVICES', '')
    if self.nodes == 1 or not given:
      return {}
    return {'JAX_LOCAL_DEVICE_IDS': ','.join(map(str, range(len(given.split(',')))))}

  def _goes_on(self, job: jobs_lib.Job, ending: jobs_lib.Ending) -> bool:
    """Has this job do the run again, or says how it ended; returns whether it does."""
    if token_of(job.record()) != self.token:
      return False
    if ending.end is jobs_lib.End.AGAIN and not ending.death:
      restarts = int(os.environ.get('SLURM_RESTART_COUNT', 0))
      if restarts >= self.requeues:
        ending = jobs_lib.Ending(
            jobs_lib.End.FAILED, f'interrupted {restarts + 1} times, {ending.reason}')
      elif requeue():
        return True
    run_folder.RunFolder(job.folder).write(
        _END, {'token': self.token, 'end': ending.end.value, 'reason': ending.reason,
               'death': ending.death})
    return False


def requeue() -> bool:
  """Asks Slurm to do this job again; returns False if it is to end here.

  Slurm may have decided by itself: after a preemption the job waits again, and one that somebody
  cancelled is not to be brought back.
  """
  job = os.environ['SLURM_JOB_ID']
  if 'SLURM_ARRAY_JOB_ID' in os.environ:
    # The last job of an array has the array's own number, which would be all of it.
    job = f'{os.environ["SLURM_ARRAY_JOB_ID"]}_{os.environ["SLURM_ARRAY_TASK_ID"]}'
  if slurm_words.state_of(job) not in ('RUNNING', ''):
    return True
  done = subprocess.run(['scontrol', 'requeue', job], capture_output=True, text=True, check=False)
  if done.returncode:
    logging.warning('not requeued: %s', slurm_words.sentence(done.stderr or done.stdout))
  return not done.returncode


def token_of(record: dict[str, Any]) -> str:
  """Returns the token of the job that is to do a run, of what launchers noted; '' if none is."""
  found = record.get('slurm')
  return found.get('token', '') if isinstance(found, dict) else ''


def ending_of(job: jobs_lib.Job, token: str) -> jobs_lib.Ending | None:
  """Returns how the job of a run said that it ended, or None."""
  found: Any = run_folder.RunFolder(job.folder).record(_END)
  if not isinstance(found, dict) or found.get('token') != token:
    return None
  return jobs_lib.Ending(jobs_lib.End(found['end']), found['reason'], found['death'])
