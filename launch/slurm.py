"""Runs as jobs of a Slurm cluster: an array of those that wait, submitted through submitit.

The nodes see the files that this machine sees: nothing is copied, and a run's folder is the same
folder everywhere. A job whose run was preempted, or saved before its time limit, is requeued and
goes on (slurm_task.py). The launcher may end and be started again at any time: jobs wait and run
without it, and the next launcher finds them by what launch.json holds.
"""

from collections.abc import Callable
from collections.abc import Sequence
import os
import shlex
import subprocess
import time
import uuid

from absl import logging

from launch import dry_run
from launch import jobs as jobs_lib
from launch import scheduler
from launch import slurm_submission
from launch import slurm_task
from launch import slurm_words
from launch import states
from nfnets_am.core import errors

# As many looks without an answer are an error of their own.
_MOST_SILENT = 20
# Looks in which a job that is over may still bring the word of its end over a slow file system.
_SETTLE = 3


def launch(get_jobs: Callable[[], Sequence[jobs_lib.Job]], options: jobs_lib.Options) -> int:
  """Runs a sweep on Slurm; see scheduler.Scheduler.run.

  Raises:
    UserError: submitit is not installed, or Slurm refuses what the options ask for.
    ConfigError: an option that is wrong, or a workdir that cannot be.
  """
  if options.devices_per_run:
    raise errors.ConfigError(
        '--devices_per_run with --on=slurm, whose --gres says what each run has; allowed with '
        '--on=local and --on=gcloud')
  jobs = get_jobs()
  backend = Slurm(options, jobs[0].folder.parent if jobs else '.')
  if options.dry_run:
    count = min(options.jobs, len(jobs))
    dry_run.show(jobs, lambda job: backend.describe(job, count))
    return 0
  backend.check()
  return scheduler.Scheduler(
      backend, at_once=options.jobs, restarts=options.restarts,
      give_up=options.give_up).run(get_jobs)


class Slurm:
  """The jobs of one sweep.

  Attributes:
    noted, on_stop: see scheduler.Backend.
    poll_s: seconds between two looks at Slurm; one call serves all runs.
  """

  noted = 'slurm'
  on_stop = 'leaving: the runs stay with Slurm; the same command comes back to them'

  def __init__(self, options: jobs_lib.Options, workdir: str | os.PathLike, *,
               poll_s: float = 15.0):
    """Checks the options.

    Args:
      options: what is asked of Slurm.
      workdir: of the sweep.
      poll_s: seconds between two looks at Slurm.

    Raises:
      UserError: submitit is not installed.
      ConfigError: an option that is wrong, or a workdir that cannot be.
    """
    self._options, self.poll_s = options, poll_s
    self._submission = slurm_submission.Submission(options, workdir)
    self._pending: list[Submitted] = []
    self._listed: dict[str, slurm_words.Listed] = {}
    self._looked = float('-inf')
    self._silent = 0

  def check(self) -> None:
    """Asks whether Slurm would take such jobs; trouble of its controller is no answer.

    Raises:
      UserError: it would not, or there is no Slurm.
    """
    done = _run(slurm_words.test_command(self._options))
    if done.returncode and not slurm_words.TRANSIENT.search(done.stderr):
      raise errors.UserError(
          f'nothing is started, as Slurm refuses such jobs: {slurm_words.sentence(done.stderr)}')

  def start(self, job: jobs_lib.Job) -> 'Submitted':
    """Finds the job that an earlier launcher submitted, or has one submitted at the next poll."""
    record = job.record()
    known = (record.get('slurm') or {}).get('job', '')
    if known and known not in self._listed:
      self._looked = float('-inf')
    if known and self.look(known).live and not slurm_task.ending_of(
        job, slurm_task.token_of(record)):
      return Submitted(self, job, slurm_task.token_of(record), known)
    found = Submitted(self, job, uuid.uuid4().hex)
    self._pending.append(found)
    return found

  def busy(self, job: jobs_lib.Job) -> bool:
    """Whether a process that Slurm knows nothing of holds the folder."""
    return not slurm_task.token_of(job.record()) and states.locked(job.folder)

  def task(self, job: jobs_lib.Job, token: str) -> slurm_task.Task:
    """Returns what a job does for a run."""
    return slurm_task.Task(
        job.name, os.fspath(job.folder), job.flags, job.program, job.until, token,
        self._options.nodes, self._options.restarts)

  def flush(self) -> None:
    """Submits the runs that were started since the last call, together."""
    while self._pending:
      most = slurm_submission.MOST
      batch, self._pending = self._pending[:most], self._pending[most:]
      for one in batch:
        # Noted first: a job that begins at once finds that it is its turn.
        one.job.note(slurm={'job': '', 'token': one.token, 'restarts': 0})
      try:
        submitted = self._submission.submit([self.task(one.job, one.token) for one in batch])
      except slurm_submission.Refused as e:
        again = slurm_words.TRANSIENT.search(str(e))
        for one in batch:
          one.ending = jobs_lib.Ending(
              jobs_lib.End.AGAIN if again else jobs_lib.End.FAILED, f'not submitted: {e}')
        continue
      for one, known in zip(batch, submitted, strict=True):
        one.known = known
        one.job.note(slurm={'job': known, 'token': one.token, 'restarts': 0})
      self._looked = float('-inf')

  def look(self, known: str) -> slurm_words.Listed:
    """Returns how a job stood when Slurm was last asked; state '' if it was not listed.

    Raises:
      UserError: Slurm has not answered for a long time.
    """
    if time.monotonic() - self._looked >= self.poll_s:
      done = _run(slurm_words.list_command())
      self._looked = time.monotonic()
      if done.returncode:
        self._silent += 1
        if self._silent > _MOST_SILENT:
          raise errors.UserError(
              f'Slurm does not answer: {slurm_words.sentence(done.stderr)}')
      else:
        self._silent, self._listed = 0, slurm_words.parse(done.stdout)
    # What was known stays so until it answers.
    missing = slurm_words.Listed('PENDING', 'no answer' if self._silent else '')
    return self._listed.get(known, missing if self._silent else slurm_words.Listed(''))

  def describe(self, job: jobs_lib.Job, count: int) -> str:
    """Returns what would be done, for --dry_run: an array's script, and what its nodes run."""
    return (f'{self._submission.script(count)}# on each node:\n'
            f'{shlex.join(self.task(job, "").command())}')

  def ending(self, known: str) -> jobs_lib.Ending:
    """Returns how a job ended that said nothing of it."""
    return slurm_words.ending(self.look(known), self._submission.output(known))


class Submitted:
  """The job of one run.

  Attributes:
    job: the run.
    token: that tells this job from others of the same run.
    known: what Slurm calls it; '' before it is submitted.
    ending: how it ended.
  """

  def __init__(self, service: Slurm, job: jobs_lib.Job, token: str, known: str = ''):
    self.job, self.token, self.known = job, token, known
    self.ending: jobs_lib.Ending | None = None
    self._service = service
    self._looked = float('-inf')
    self._told = False
    self._over = 0

  def poll(self) -> jobs_lib.Ending | None:
    """Looks at the run's folder, and now and then at Slurm."""
    self._service.flush()
    if self.ending is None and time.monotonic() - self._looked >= self._service.poll_s:
      self._looked = time.monotonic()
      try:
        self.ending = self._look()
      except errors.UserError as e:
        self.ending = jobs_lib.Ending(jobs_lib.End.FAILED, str(e))
      except Exception as e:
        if not errors.is_storage(e):
          raise
        logging.warning('%s: cannot be read now, so again later: %s', self.job.name, e)
    return self.ending

  def stop(self) -> None:
    """Nothing: the job goes on without a launcher; one that is cancelled is told by `poll`."""

  def stopped(self) -> bool:
    """Always: there is nothing to wait for."""
    return True

  def _look(self) -> jobs_lib.Ending | None:
    found = self._service.look(self.known)
    said = slurm_task.ending_of(self.job, self.token)
    self._note(found)
    if said is not None and (self.job.done or said.end is not jobs_lib.End.DONE):
      return jobs_lib.Ending(jobs_lib.End.DONE) if self.job.done else said
    if found.live:
      self._over = 0
      if self.job.cancelled and not self._told:
        self._told = True
        for words in slurm_words.stop(self.known):
          _run(words)
      return None
    self._over += 1
    if self.job.done:
      return jobs_lib.Ending(jobs_lib.End.DONE)
    return self._service.ending(self.known) if self._over > _SETTLE else None

  def _note(self, found: slurm_words.Listed) -> None:
    """Notes how often Slurm did the run again, and that it waits."""
    record = self.job.record()
    if slurm_task.token_of(record) != self.token:
      return
    before = record['slurm'].get('restarts', 0)
    again = max(0, found.restarts - before)
    waits = f'with Slurm ({found.reason})' if found.state == 'PENDING' else ''
    if again or waits != record['waits']:
      self.job.note(
          waits=waits, starts=record['starts'] + again,
          interruptions=record['interruptions'] + again,
          slurm={**record['slurm'], 'restarts': before + again})


def _run(command: Sequence[str]) -> subprocess.CompletedProcess:
  try:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
  except FileNotFoundError:
    raise errors.UserError(
        f'there is no {command[0]} command; --on=slurm is for a machine that submits to Slurm'
    ) from None
  except subprocess.TimeoutExpired:
    return subprocess.CompletedProcess(command, 1, '', 'timed out')
