"""Where a sweep can run, and what comes before its first run, wherever that is."""

from collections.abc import Sequence

from launch import chips
from launch import jobs as jobs_lib
from launch import local
from launch import preflight
from launch import shared
from launch import skypilot
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.storage import leases

# (function that returns the jobs by now, options) -> exit status.
PLACES = registry.Registry('place to run on', {
    'gcloud': shared.launch,
    'local': local.launch,
    'skypilot': skypilot.launch,
})
# Options of one kind of place.
_CLOUD = ('tpu', 'zone', 'project', 'runtime_version', 'service_account', 'network', 'subnetwork',
          'provisioning', 'reservation', 'max_run_duration')
_HERE = ('processes', 'devices', 'warm')


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
  here, in_bucket = on == 'local', not leases.is_local(workdir)
  tpu = None if here else chips.parse(options.tpu)
  # How many devices this machine has, only a run may ask: whoever asks takes them.
  if options.devices_per_run and tpu:
    tpu = chips.part_of(tpu, options.devices_per_run)
  size = {'devices': tpu.devices if tpu else options.processes * max(1, options.devices),
          'hosts': tpu.hosts if tpu else options.processes}

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


def _check_options(on: str, options: jobs_lib.Options) -> None:
  default = jobs_lib.Options()
  for key in _CLOUD if on == 'local' else _HERE:
    if getattr(options, key) != getattr(default, key):
      clouds = ' or '.join(f'--on={name}' for name in PLACES if name != 'local')
      raise errors.UserError(
          f'--{key}={getattr(options, key)} with --on={on}; allowed: with '
          f'{clouds if on == "local" else "--on=local"}')
