"""Slices of Cloud TPU that the runs of a sweep share, where each would be small on its own.

Each slice has a launcher of its own: its start-up script runs `launch.sweep --on=local
--devices_per_run=N` on the sweep's workdir. Launchers share the runs out by their leases, on one
slice or many; what a preempted slice leaves, the next one goes on with. The launcher here only asks
for slices, asks again for those that are taken away, and deletes those whose launcher has ended.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import os

from launch import chips
from launch import devices
from launch import gcloud
from launch import hosts
from launch import jobs as jobs_lib
from launch import scheduler
from launch import view
from nfnets_am.core import errors
from nfnets_am.storage import leases

# In the sweep's folder: a folder for each slice, with what launchers note, and its end.
_FOLDER = 'slices'


def launch(get_jobs: Callable[[], Sequence[jobs_lib.Job]], options: jobs_lib.Options) -> int:
  """Runs a sweep on Cloud TPU, on shared slices if `options.devices_per_run` says so.

  Returns:
    Exit status, as scheduler.Scheduler.run.

  Raises:
    ConfigError: a run cannot have so many chips of such a slice.
  """
  if not options.devices_per_run:
    return gcloud.launch(get_jobs, options)
  backend = Slices(options)
  left = jobs_lib.unfinished(get_jobs())
  slices = _slices(left, backend, options)
  if options.dry_run:
    for job in slices:
      print(backend.describe(job))
    return 0
  status = 0
  if slices:
    backend.check()
    for job in slices:
      _forget_end(job)
    status = scheduler.Scheduler(
        backend, at_once=options.jobs, restarts=options.restarts).run(lambda: slices)
  jobs = list(get_jobs())
  view.print_table(jobs)
  return status or (1 if jobs_lib.unfinished(jobs) else 0)


@dataclasses.dataclass(frozen=True)
class Slice(jobs_lib.Job):
  """A slice, which the scheduler takes for a run; its folder is not one of a run."""

  @property
  def done(self) -> bool:
    """Whether its launcher has left nothing to run."""
    try:
      return (self.folder / 'exit.txt').read_text().partition('\n')[0].strip() == '0'
    except FileNotFoundError:
      return False

  def status(self) -> dict[str, str]:
    """Returns how it stands, in the words of a run's status."""
    return {'status': 'finished' if self.done else 'missing'}


def _slices(left: Sequence[jobs_lib.Job], backend: 'Slices', options: jobs_lib.Options
            ) -> list[Slice]:
  """Returns the slices to ask for: as many as --jobs says, and no more than the runs fill."""
  if not left:
    return []
  workdir = left[0].folder.parent
  count = min(options.jobs, -(-len(left) // backend.slots))
  return [Slice(f'slice {i}', workdir / _FOLDER / str(i), tuple(options.sweep))
          for i in range(count)]


def _forget_end(job: Slice) -> None:
  """Removes what the slice said at its last end: there are runs again that are not done."""
  job.folder.mkdir(parents=True, exist_ok=True)
  lease = leases.Lease(os.path.join(job.folder, 'launcher.lease'))
  # Another launcher that holds it has begun the slice anew by itself.
  if lease.acquire():
    (job.folder / 'exit.txt').unlink(missing_ok=True)
    lease.release()


class Slices(gcloud.QueuedResources):
  """Queued resources of one host, each for as many runs as have room on it.

  Attributes:
    slots: runs on a slice at a time.
  """

  def __init__(self, options: jobs_lib.Options, *, poll_s: float = 20.0):
    """Checks the options.

    Args:
      options: `tpu`, `zone` and `devices_per_run` must be said.
      poll_s: seconds between two looks at the service.

    Raises:
      ConfigError: no such TPU or zone, several hosts, or more chips for a run than there are.
    """
    super().__init__(options, poll_s=poll_s)
    tpu = chips.parse(options.tpu)
    if tpu.hosts > 1:
      raise errors.ConfigError(
          f'--devices_per_run with --tpu={tpu.name}, which has {tpu.hosts} hosts; allowed: one '
          f'host, {", ".join(small.name for small in chips.of_one_host(tpu.chip))}')
    devices.check('TPU chip', options.devices_per_run, tpu.chips)
    self.slots = tpu.chips // options.devices_per_run

  def command(self, job: jobs_lib.Job) -> list[str]:
    """Returns what the slice's host runs: a launcher."""
    options = self._options
    return ['-m', 'launch.sweep', *hosts.flags_of(job),
            f'--workdir={os.fspath(job.folder.parent.parent)}', '--on=local',
            f'--devices_per_run={options.devices_per_run}', f'--restarts={options.restarts}']
