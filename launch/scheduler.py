"""Runs the jobs of a sweep a few at a time, wherever a backend runs them.

Every launcher holds a lease on each run that it works on (`launcher.lease` in the run's folder), so
that two launchers on one workdir share the runs out, and one that died is replaced. What a run
needs beyond that is in its folder; a launcher keeps nothing of its own.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import os
import time
from typing import Protocol

from launch import deaths
from launch import elsewhere
from launch import equal_failures
from launch import jobs as jobs_lib
from launch import requests
from launch import stopping
from launch import view as view_lib
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.storage import leases

_POLL_S = 0.2
# Between two looks at a run that another launcher works on, on a disk and in a bucket.
_LOOK_S = {True: 1.0, False: 20.0}
# While there is no room: looks of one pass, a few ms on a disk and a second in a bucket, and
# seconds between two at the same run.
_WATCHES = 20
_WATCH_S = leases.STALE_S / 8
# Between two looks at what people ask of runs, on a disk and in a bucket.
_ASKED_S = {True: 1.0, False: 30.0}


class Handle(Protocol):
  """One start of a run."""

  def poll(self) -> jobs_lib.Ending | None:
    """Returns how it ended, or None while it goes on."""

  def stop(self) -> None:
    """Asks it to save and leave; `poll` says when it has."""

  def stopped(self) -> bool:
    """Whether there is nothing to wait for after `stop`."""


class Backend(Protocol):
  """A place where runs run.

  Attributes:
    noted: of elsewhere.SERVICES, the one by which it holds runs; '' if by none.
    on_stop: what is said when the launcher is told to stop.
  """

  noted: str
  on_stop: str

  def start(self, job: jobs_lib.Job) -> Handle:
    """Starts a run, or finds it running there; raises OSError or UserError if it cannot."""

  def busy(self, job: jobs_lib.Job) -> bool:
    """Whether somebody who holds no lease is at work on the run."""


@dataclasses.dataclass
class _Active:
  """A run in hand."""
  handle: Handle
  lease: leases.Lease


class Scheduler:
  """The queue of one launcher."""

  def __init__(self, backend: Backend, *, at_once: int, restarts: int, give_up: int = 3):
    """Makes an empty queue.

    Args:
      backend: starts the runs.
      at_once: runs at a time.
      restarts: how often an interrupted run is started again by this launcher.
      give_up: different runs that fail alike before any ends well, until no more are started; 0
        starts all.
    """
    self._backend, self._at_once, self._restarts = backend, at_once, restarts
    self._view = view_lib.make_view()
    self._moves = elsewhere.Moves(backend.noted)
    # The job of each folder that was brought last.
    self._jobs: dict[os.PathLike, jobs_lib.Job] = {}
    self._waiting: list[jobs_lib.Job] = []
    self._active: dict[jobs_lib.Job, _Active] = {}
    # Leases of runs that others hold: they remember how long a heartbeat has stood still.
    self._watched: dict[jobs_lib.Job, leases.Lease] = {}
    self._look_again: dict[jobs_lib.Job, float] = {}
    self._watch_again: dict[jobs_lib.Job, float] = {}
    self._restarted: dict[jobs_lib.Job, int] = {}
    self._failed: set[jobs_lib.Job] = set()
    self._cancelled: set[jobs_lib.Job] = set()
    self._ask_again = 0.0
    self._alike = equal_failures.Failures(give_up)

  def run(self, get_jobs: Callable[[], Sequence[jobs_lib.Job]]) -> int:
    """Runs what is not done, until a call of `get_jobs` brings nothing new.

    Args:
      get_jobs: returns all jobs there are by now; called at the start and whenever runs have ended
        and none is waiting.

    Returns:
      Exit status: 0 if all finished or diverged, 75 if a signal stopped it, else 1.

    Raises:
      UserError: it gave up, since its first runs failed alike.
    """
    interrupted = False
    with stopping.terminate_like_ctrl_c():
      try:
        self._add(get_jobs())
        done = len(self._jobs) - len(self._waiting)
        self._view.say(f'{len(self._jobs)} runs, {done} of them done before')
        while self._waiting or self._active:
          self._start_some()
          self._watch()
          self._heed_requests()
          time.sleep(_POLL_S)
          ended = self._collect()
          if self._alike.sentence:
            self._waiting.clear()
          elif not self._waiting and (ended or not self._active):
            self._add(get_jobs())
          self._view.show(
              len(self._jobs), list(self._active), len(self._waiting), len(self._failed))
      except KeyboardInterrupt:
        interrupted = True
        self._stop()
      finally:
        self._view.close()
        for active in self._active.values():
          active.lease.release()
    jobs = list(self._jobs.values())
    view_lib.print_table(jobs)
    if interrupted:
      return cli.EXIT_STOPPED
    if self._alike.sentence:
      raise errors.UserError(self._alike.sentence)
    return 1 if jobs_lib.unfinished(jobs) else 0

  def _add(self, jobs: Sequence[jobs_lib.Job]) -> None:
    # A run whose stage is over comes again as another job: the rest of it, or nothing.
    new = [job for job in jobs if self._jobs.get(job.folder) != job]
    self._jobs |= {job.folder: job for job in new}
    self._waiting += [job for job in new if not job.ended]
    for job in new:
      if job.dropped and job.record()['dropped'] != job.dropped:
        self._drop(job)

  def _drop(self, job: jobs_lib.Job) -> None:
    """Notes that a run goes on no more, for those who only see its folder."""
    lease = leases.Lease(os.path.join(job.folder, 'launcher.lease'))
    # Another launcher that holds it knows the same, and notes it.
    if lease.acquire():
      job.note(dropped=job.dropped)
      lease.release()
      self._view.say(f'{job.name}: not selected ({job.dropped})')

  def _start_some(self) -> None:
    """Starts waiting runs while there is room; those in other hands stay in the queue."""
    for job in list(self._waiting):
      if len(self._active) >= self._at_once or self._alike.sentence:
        return
      if time.monotonic() < self._look_again.get(job, 0):
        continue
      self._look_again[job] = time.monotonic() + _LOOK_S[leases.is_local(job.folder)]
      job.folder.mkdir(parents=True, exist_ok=True)
      lease = self._lease_of(job)
      if not lease.acquire():
        if job.done:
          self._leave(job)
        continue
      # Only now is what the folder says not about to change.
      if job.done:
        self._leave(job)
        lease.release()
      elif self._moves.in_the_way(job) or self._backend.busy(job):
        lease.release()
      else:
        self._waiting.remove(job)
        self._begin(job, lease)

  def _leave(self, job: jobs_lib.Job) -> None:
    """Takes a run that is done, or cancelled, out of the queue."""
    self._waiting.remove(job)
    if not job.ended:
      self._cancelled.add(job)
      self._view.say(f'{job.name}: cancelled {requests.reason(job.folder)}')

  def _heed_requests(self) -> None:
    """Stops the runs that were cancelled; those that are to be tried again wait again."""
    if not self._jobs or time.monotonic() < self._ask_again:
      return
    self._ask_again = time.monotonic() + _ASKED_S[leases.is_local(next(iter(self._jobs)))]
    for job, active in self._active.items():
      if job.cancelled:
        active.handle.stop()
    again = [job for job in self._failed if not job.record()['error']]
    again += [job for job in self._cancelled if not job.cancelled]
    for job in again:
      self._failed.discard(job)
      self._cancelled.discard(job)
      self._restarted.pop(job, None)
      self._waiting.append(job)
      self._view.say(f'{job.name}: waits again, as asked for')

  def _watch(self) -> None:
    """Looks at the leases of waiting runs while there is no room for one of them.

    So that a heartbeat which stood still in this time has done so for us too when there is room.
    """
    if len(self._active) < self._at_once:
      return
    now = time.monotonic()
    due = [job for job in self._waiting if now >= self._watch_again.get(job, 0)]
    # The longest unseen first: each gets its turn, however many there are.
    for job in sorted(due, key=lambda job: self._watch_again.get(job, 0))[:_WATCHES]:
      self._watch_again[job] = now + _WATCH_S
      self._lease_of(job).watch()

  def _lease_of(self, job: jobs_lib.Job) -> leases.Lease:
    if job not in self._watched:
      self._watched[job] = leases.Lease(os.path.join(job.folder, 'launcher.lease'))
    return self._watched[job]

  def _begin(self, job: jobs_lib.Job, lease: leases.Lease) -> None:
    job.note(starts=job.record()['starts'] + 1, error='', dropped='')
    try:
      self._active[job] = _Active(self._backend.start(job), lease)
    except Exception as e:  # One run that cannot be started does not stop the others.
      self._end(job, lease, jobs_lib.Ending(jobs_lib.End.FAILED, str(e) or type(e).__name__))
      return
    self._view.say(f'started {job.name}')

  def _collect(self) -> bool:
    """Takes note of the runs that have ended; returns whether any has."""
    ended = False
    for job, active in list(self._active.items()):
      if active.lease.lost:
        # Asleep for too long: another launcher has the run, and this one lets it go.
        active.handle.stop()
        if active.handle.poll() or active.handle.stopped():
          del self._active[job]
          self._waiting.append(job)
          self._view.say(f'{job.name}: another launcher has taken it over')
        continue
      ending = active.handle.poll()
      if ending is not None:
        ended = True
        del self._active[job]
        self._end(job, active.lease, ending)
    return ended

  def _end(self, job: jobs_lib.Job, lease: leases.Lease, ending: jobs_lib.Ending) -> None:
    hopeless = deaths.count(job, ending)
    if ending.end is jobs_lib.End.AGAIN:
      self._restarted[job] = self._restarted.get(job, 0) + 1
      job.note(interruptions=job.record()['interruptions'] + 1)
      if self._restarted[job] <= self._restarts and not hopeless:
        self._view.say(f'{job.name}: {ending.reason}; it goes on')
        self._waiting.insert(0, job)
        self._look_again.pop(job, None)
        lease.release()
        return
      ending = jobs_lib.Ending(
          jobs_lib.End.FAILED,
          hopeless or f'interrupted {self._restarted[job]} times, {ending.reason}')
    if ending.end is jobs_lib.End.FAILED:
      self._failed.add(job)
      self._alike.note(job, ending.reason)
      job.note(error=ending.reason)
      self._view.say(f'{job.name}: failed: {ending.reason}')
    elif not job.ended:
      self._cancelled.add(job)
      self._view.say(f'{job.name}: cancelled {requests.reason(job.folder)}')
    else:
      self._alike.ended_well()
      status = job.status()
      self._view.say(f'{job.name}: {status["status"]} at update {status.get("update", "?")}')
    lease.release()

  def _stop(self) -> None:
    self._view.say(self._backend.on_stop)
    for active in self._active.values():
      active.handle.stop()
    while not all(a.handle.poll() or a.handle.stopped() for a in self._active.values()):
      time.sleep(_POLL_S)
