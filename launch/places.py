"""Where a sweep can run, and what comes before its first run, wherever that is."""

from collections.abc import Sequence

from launch import chips
from launch import jobs as jobs_lib
from launch import local
from launch import preflight
from launch import shared
from launch import skypilot
from launch import slurm
from launch import slurm_words
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.storage import leases

# (function that returns the jobs by now, options) -> exit status.
PLACES = registry.Registry('place to run on', {
    'gcloud': shared.launch,
    'local': local.launch,
    'skypilot': skypilot.launch,
    'slurm': slurm.launch,
})
# Options that only some places take.
_TAKEN_BY = {
    ('gcloud', 'skypilot'): (
        'tpu', 'zone', 'project', 'runtime_version', 'service_account', 'network', 'subnetwork',
        'provisioning', 'reservation', 'max_run_duration'),
    ('local',): ('processes', 'devices', 'warm'),
    ('slurm',): ('partition', 'account', 'qos', 'constraint', 'gres', 'memory', 'time_limit',
                 'save_s', 'nodes', 'cpus'),
}


def run(on: str, options: jobs_lib.Options, *, experiment: str, workdir: str, scale: str = '',
        overrides: Sequence[str] = ()) -> int:
  """Runs a sweep.

  Args:
    on: one of PLACES.
    options: for it.
    experiment, workdir, scale, overrides: as of jobs.jobs_of.

  Returns:
    Exit status, see scheduler.Scheduler.run.

  Raises:
    UserError: an option is of another place, a config cannot run, or its data are not there.
  """
  launch = PLACES[on]
  _check_options(on, options)
  # The nodes of a Slurm see the disks that this machine sees.
  here, in_bucket = on in ('local', 'slurm'), not leases.is_local(workdir)
  size = _size(on, options)

  def get_jobs(look: bool = True) -> list[jobs_lib.Job]:
    return jobs_lib.jobs_of(experiment, workdir, scale, overrides, look=look)

  jobs = get_jobs(look=not (options.dry_run and in_bucket))
  preflight.configs(jobs, **size)
  if options.dry_run:
    status = launch(lambda: jobs, options)
    preflight.data(jobs, **size, here=here, dry=True)
    return status
  # To ask every run of a bucket whether it is done takes minutes; one that is not is enough.
  if any(not job.done for job in jobs):
    preflight.data(jobs if in_bucket else jobs_lib.unfinished(jobs), **size, here=here)
  return launch(get_jobs, options)


def _size(on: str, options: jobs_lib.Options) -> dict[str, int]:
  """Returns how many devices a run will have over all hosts, as far as that is known; and hosts."""
  if on == 'slurm':
    return {'devices': options.nodes * max(1, slurm_words.gpus(options.gres)),
            'hosts': options.nodes}
  if on == 'local':
    # How many devices this machine has, only a run may ask: whoever asks takes them.
    return {'devices': options.processes * max(1, options.devices), 'hosts': options.processes}
  tpu = chips.parse(options.tpu)
  if options.devices_per_run:
    tpu = chips.part_of(tpu, options.devices_per_run)
  return {'devices': tpu.devices, 'hosts': tpu.hosts}


def _check_options(on: str, options: jobs_lib.Options) -> None:
  default = jobs_lib.Options()
  for taking, keys in _TAKEN_BY.items():
    for key in keys:
      if on not in taking and getattr(options, key) != getattr(default, key):
        raise errors.UserError(
            f'--{key}={getattr(options, key)} with --on={on}; allowed: with '
            f'{" or ".join(f"--on={name}" for name in taking)}')
