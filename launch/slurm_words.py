"""What is said to Slurm's commands, and what they say."""

from collections.abc import Mapping
import dataclasses
import math
import re
import shlex
import subprocess
from typing import Any

from launch import jobs as jobs_lib
from launch import provisioning
from nfnets_am.core import errors

# Told to a job's steps before its time limit, by launch.cancel, and by some sites before they take
# nodes away: save and leave. submitit asks for the same one.
SIGNAL = 'USR2'
# States of a job that will do something yet. What is left of a requeue is COMPLETING or PENDING.
LIVE = ('PENDING', 'CONFIGURING', 'RUNNING', 'COMPLETING', 'SUSPENDED', 'STOPPED', 'SIGNALING',
        'STAGE_OUT', 'RESIZING', 'REQUEUED', 'REQUEUE_HOLD', 'REQUEUE_FED', 'SPECIAL_EXIT',
        'RESV_DEL_HOLD')
# States that the same job would come to again, or that somebody wanted.
_FINAL = {
    'CANCELLED': 'its job was cancelled in Slurm',
    'DEADLINE': 'its job came to its deadline in Slurm',
    'OUT_OF_MEMORY': 'its job needs more memory than it has; allowed: a larger --memory'}
# What a controller says that may say another thing in a minute.
TRANSIENT = re.compile(
    r'Unable to contact slurm controller|timed out|temporarily|Connection|try again|'
    r'communication', re.IGNORECASE)
_LISTED = ('ArrayJobID', 'ArrayTaskID', 'State', 'Reason', 'RestartCnt')
_GPU = re.compile(r'(?:^|,)(?:gres[/:])?gpu(?::[A-Za-z][^:,(]*)?(?::(\d+))?(?=[,(]|$)')


@dataclasses.dataclass(frozen=True)
class Listed:
  """How Slurm says that a job stands.

  Attributes:
    state: such as 'RUNNING'.
    reason: why it waits, such as 'Priority'.
    restarts: how often it was requeued.
  """

  state: str
  reason: str = ''
  restarts: int = 0

  @property
  def live(self) -> bool:
    return self.state in LIVE


def list_command() -> list[str]:
  """Returns the command that lists the user's jobs, those that ended some minutes ago too."""
  return ['squeue', '--me', '--noheader', '--array', '--states=all',
          f'--Format={",".join(f"{field}:|" for field in _LISTED)}']


def parse(listing: str) -> dict[str, Listed]:
  """Returns job -> how it stands, of what `list_command` prints; '12_3' is a job of an array."""
  found = {}
  for line in listing.splitlines():
    fields = [field.strip() for field in line.split('|')]
    if len(fields) < len(_LISTED):
      continue
    job, index, state, reason, restarts = fields[:len(_LISTED)]
    found[f'{job}_{index}' if index.isdigit() else job] = Listed(
        state, '' if reason == 'None' else reason, int(restarts) if restarts.isdigit() else 0)
  return found


def ending(found: Listed, output: str) -> jobs_lib.Ending:
  """Returns how a job ended that said nothing of it.

  Args:
    found: how Slurm lists it; state '' if it does not any more.
    output: of its script.
  """
  if found.state in ('COMPLETED', 'FAILED'):
    return jobs_lib.Ending(
        jobs_lib.End.FAILED, f'its job came to no end of the run: {jobs_lib.last_error(output)}')
  if found.state in _FINAL:
    return jobs_lib.Ending(jobs_lib.End.FAILED, _FINAL[found.state])
  return jobs_lib.Ending(
      jobs_lib.End.AGAIN, f'its job is {found.state}' if found.state else 'its job is gone')


def state_of(job: str) -> str:
  """Returns the state of a job as Slurm says it now; '' if it does not answer."""
  try:
    done = subprocess.run(['squeue', '--noheader', f'--jobs={job}', '--states=all', '--format=%T'],
                          capture_output=True, text=True, timeout=60, check=False)
  except (FileNotFoundError, subprocess.TimeoutExpired):
    return ''
  return next(iter(done.stdout.split()), '')


def stop(job: str) -> list[list[str]]:
  """Returns the commands that end a job: one that waits goes, one that runs saves first."""
  # With scancel's own --state, a job that waits takes all those of its array with it that do.
  state = state_of(job) if job else ''
  if not job or (state and state not in LIVE):
    return []
  return [['scancel', *[f'--signal={SIGNAL}'] * (state != 'PENDING'), job]]


def sentence(stderr: str) -> str:
  """Returns the last error that a command of Slurm's names."""
  lines = [line.strip() for line in stderr.splitlines() if line.strip()]
  named = [line for line in lines if 'error:' in line or 'failure:' in line]
  last = (named or lines or ['no message'])[-1]
  return re.sub(r'^.*?(error|failure): (Batch job submission failed: )?', '', last)[:500]


def gpus(gres: str) -> int:
  """Returns how many GPUs a node has by --gres: 4 of 'gpu:a100:4', 1 of 'gpu', 0 of ''."""
  return sum(int(count or 1) for count in _GPU.findall(gres))


def parameters(options: jobs_lib.Options) -> dict[str, Any]:
  """Returns what the options ask Slurm for, as sbatch's flags without their dashes.

  Raises:
    ConfigError: no such time limit.
  """
  seconds = provisioning.seconds(options.time_limit)
  if options.time_limit and seconds < 60:
    raise errors.ConfigError(
        f'--time_limit={options.time_limit}; allowed: at least 1m, such as 90m, 24h or 2d')
  if options.time_limit and seconds <= options.save_s:
    raise errors.ConfigError(
        f'--save_s={options.save_s} with --time_limit={options.time_limit}; allowed: less than the '
        'limit')
  asked: Mapping[str, Any] = {
      'partition': options.partition, 'account': options.account, 'qos': options.qos,
      'constraint': options.constraint, 'gres': options.gres, 'mem': options.memory,
      'time': math.ceil(seconds / 60), 'nodes': options.nodes, 'ntasks_per_node': 1,
      'cpus_per_task': options.cpus}
  return {key: value for key, value in asked.items() if value}


def test_command(options: jobs_lib.Options) -> list[str]:
  """Returns the command that asks whether Slurm would take a job like these; it submits none."""
  flags = [f'--{key.replace("_", "-")}={value}' for key, value in parameters(options).items()]
  return ['sbatch', '--test-only', '--quiet', *flags, f'--wrap={shlex.join(["true"])}']
