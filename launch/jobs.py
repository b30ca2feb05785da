"""One run of a sweep as a launcher sees it: its folder, its command, how it ended."""

from collections.abc import Sequence
import dataclasses
import enum
import os
import sys
from typing import Any

from etils import epath
import ml_collections

from launch import requests
from nfnets_am.config import cells as cells_lib
from nfnets_am.core import errors
from nfnets_am.storage import run_folder
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import selection
from nfnets_am.sweeps import tuning

# What launchers note about a run in its folder.
_RECORD = 'launch.json'
TRAIN = (sys.executable, '-m', 'nfnets_am.train')
MEASURE = (sys.executable, '-m', 'nfnets_am.measure')


@dataclasses.dataclass(frozen=True)
class Job:
  """One run.

  Attributes:
    name: of its cell.
    folder: of the run, on a disk or in a bucket.
    flags: of the program, but for the workdir.
    program: that takes these flags.
    until: a duration, the stage that it runs now; '' is to its own end. `flags` say it too.
    dropped: why it was not selected to go on after a stage; '' is that it was, or there is none.
    config: complete; None where only the folder is known.
  """

  name: str
  folder: epath.Path
  flags: tuple[str, ...]
  program: tuple[str, ...] = TRAIN
  until: str = ''
  dropped: str = ''
  config: ml_collections.ConfigDict | None = dataclasses.field(
      default=None, compare=False, repr=False)

  def command(self, *extra: str) -> list[str]:
    """Returns the argument list that trains it; no shell reads it."""
    return [*self.program, *self.flags, f'--workdir={os.fspath(self.folder)}', *extra]

  def status(self) -> dict[str, Any]:
    """Returns its status.json."""
    return run_folder.RunFolder(self.folder).status()

  @property
  def done(self) -> bool:
    """Whether there is nothing left to run."""
    return self.ended or self.cancelled

  @property
  def cancelled(self) -> bool:
    """Whether somebody asked that it does not go on."""
    return requests.cancelled(self.folder)

  @property
  def ended(self) -> bool:
    """Whether it has come to the end of what it is to run."""
    if self.dropped or self.status()['status'] in run_folder.DONE:
      return True
    return bool(self.until) and selection.reached(
        outcomes.read_run(self.folder, {}), self.until)

  def record(self) -> dict[str, Any]:
    """Returns what launchers noted.

    'starts', 'interruptions', 'error', 'dropped', 'deaths', and where the run 'waits'.
    """
    found = run_folder.RunFolder(self.folder).record(_RECORD)
    found = found if isinstance(found, dict) else {}
    return {'starts': 0, 'interruptions': 0, 'error': '', 'dropped': '', 'deaths': {}, 'waits': '',
            **found}

  def note(self, **changes: Any) -> None:
    """Changes what launchers noted; the one that holds the lease calls it."""
    run_folder.RunFolder(self.folder).write(_RECORD, {**self.record(), **changes})


@dataclasses.dataclass(frozen=True)
class Options:
  """What the flags of launch.sweep say, for the place where the runs run.

  Attributes:
    jobs: runs at a time.
    restarts: how often an interrupted run is started again.
    give_up: different runs that fail for the same reason, until no more are started; 0 goes on.
    dry_run: print commands and files, and touch nothing.
    processes, devices: of each run on this machine, see local.Local.
    tpu: accelerator type, such as 'v6e-32'.
    zone, project: of Google Cloud.
    runtime_version: of the TPU's virtual machines; '' is the one for the TPU.
    provisioning, reservation, max_run_duration: how the TPU is had, see provisioning.way_of.
    service_account: of the virtual machines; '' is the project's default.
    network, subnetwork: of the virtual machines; '' is 'default'.
    warm: whether a process of this machine goes on with the next run, see workers.py.
    partition, account, qos, constraint, gres, memory: of Slurm, in its own words; '' is what it
      takes by itself. `gres` and `memory` are those of a node.
    time_limit: of one start of a run on Slurm, '24h'; '' is the partition's.
    save_s: seconds before that limit at which a run is told to save.
    nodes: of each run on Slurm, with a process on each.
    cpus: of a node, for each run on Slurm; 0 is what Slurm gives.
    devices_per_run: GPUs or TPU chips that each of several runs has to itself; 0 is all there are.
    sweep: flags of launch.sweep that say which sweep it is, but for the workdir.
  """

  jobs: int = 1
  restarts: int = 20
  give_up: int = 3
  dry_run: bool = False
  processes: int = 1
  devices: int = 0
  warm: bool = True
  tpu: str = ''
  zone: str = ''
  project: str = ''
  runtime_version: str = ''
  provisioning: str = 'spot'
  reservation: str = ''
  max_run_duration: str = ''
  service_account: str = ''
  network: str = ''
  subnetwork: str = ''
  partition: str = ''
  account: str = ''
  qos: str = ''
  constraint: str = ''
  gres: str = ''
  memory: str = ''
  time_limit: str = ''
  save_s: int = 120
  nodes: int = 1
  cpus: int = 0
  devices_per_run: int = 0
  sweep: tuple[str, ...] = ()


class End(enum.Enum):
  """How one start of a run ended."""
  DONE = 'done'  # Finished or diverged: its status.json says which.
  AGAIN = 'interrupted'  # Killed or preempted: the same command goes on.
  FAILED = 'failed'  # An error that the same command would meet again.


@dataclasses.dataclass(frozen=True)
class Ending:
  """How one start of a run ended.

  Attributes:
    end: what follows from it.
    reason: why, for whoever reads it.
    death: what killed it, such as 'SIGSEGV', if the run may have done so itself; '' if it was told
      to stop or lost its machine. See deaths.py.
  """

  end: End
  reason: str = ''
  death: str = ''


def last_error(text: str) -> str:
  """Returns the last 'error: ...' sentence of a log, else its last line."""
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  sentences = [line.removeprefix('error: ') for line in lines if line.startswith('error: ')]
  return (sentences or lines or ['no message'])[-1][:500]


def unfinished(jobs: Sequence[Job]) -> list[Job]:
  """Returns the jobs that have something left to run, in order."""
  return [job for job in jobs if not job.done]


def jobs_of(experiment: str, workdir: str, scale: str = '', overrides: Sequence[str] = (),
            *, look: bool = True) -> list[Job]:
  """Returns the runs of a sweep, those added that its finished runs call for (tuning.read).

  In a sweep with stages a job is the part of a run that is to run now: the same run is another job
  once its cell's copies have all reached the end of the stage.

  Args:
    experiment: path of its file.
    workdir: of the sweep.
    scale: that the file knows.
    overrides: 'KEY=VALUE' texts for every run.
    look: whether to look into the workdir; else its runs are as if none had begun.

  Raises:
    ConfigError: an unknown experiment, scale, cell or key, or stages of what is not trained.
  """
  changes = experiment_file.parse_overrides(overrides)
  sweep, runs = tuning.read(experiment, scale, workdir if look else '', changes)
  read = outcomes.Reader(workdir).read if look else _not_begun
  # Cells that are the same training in two ways are one job, which serves the one that needs more.
  fates: dict[str, selection.Fate] = {}
  for group in selection.copies(runs):
    of_group = selection.fates(
        sweep.stages, [read(run) for run in group] if sweep.stages else group)
    for run, fate in zip(group, of_group, strict=True):
      fates[run.name] = max(fates.get(run.name, fate), fate, key=lambda fate: fate.way)
  once = {run.name: run for run in runs}.values()
  return [_job(run, epath.Path(workdir) / run.name, fates[run.name], sweep) for run in once]


def _job(run: experiment_file.Run, folder: epath.Path, fate: selection.Fate,
         sweep: experiment_file.Sweep) -> Job:
  name, program = cells_lib.cell_name(run.cell), MEASURE if run.config.measure else TRAIN
  if fate.way is selection.Way.GOES_ON:
    return Job(name, folder, run.flags, program, config=run.config)
  if run.config.measure:
    raise errors.ConfigError(
        f'the cell {name!r} is measured and not trained; allowed: a sweep without stages')
  if fate.way is selection.Way.DROPPED:
    return Job(name, folder, run.flags, program, dropped=fate.reason, config=run.config)
  until = sweep.stages.until
  return Job(name, folder, (*run.flags, f'--until={until}'), program, until=until,
             config=run.config)


def _not_begun(run: experiment_file.Run) -> outcomes.RunResult:
  return outcomes.RunResult(run.cell, 'missing')
