"""Runs as SkyPilot managed jobs: SkyPilot asks for the slices, and asks again after a preemption.

One file per run, in the folder `skypilot` where the command is given, submitted by `sky jobs
launch`. From then on `sky jobs queue` and launch.status tell how it stands.
"""

from collections.abc import Callable
from collections.abc import Sequence
import os
import pathlib
import re
import shlex
import subprocess
from typing import Any

from absl import logging
import yaml

from launch import chips
from launch import dry_run
from launch import elsewhere
from launch import hosts
from launch import jobs as jobs_lib
from launch import view
from nfnets_am.core import errors
from nfnets_am.storage import leases

_FILES = pathlib.Path('skypilot')
# What SkyPilot can ask for.
_WAYS = ('spot', 'on_demand')

_SETUP = r"""set -euo pipefail
ROOT="${{NFNETS_AM_ROOT:-$HOME/nfnets_am}}"
SOURCE="$PWD"
mkdir -p "$ROOT"
{setup}
"""

_RUN = r"""set -uo pipefail
ROOT="${{NFNETS_AM_ROOT:-$HOME/nfnets_am}}"
export PYTHONUNBUFFERED=1
{attempts}
# Diverged: it would again.
[ $code = 76 ] && exit 0
exit $code
"""


def launch(get_jobs: Callable[[], Sequence[jobs_lib.Job]], options: jobs_lib.Options) -> int:
  """Writes and submits a managed job for every run that is not done and was not submitted.

  Returns:
    Exit status: 0, or 1 if a job could not be submitted.

  Raises:
    UserError: SkyPilot is not installed.
    ConfigError: no such TPU, or a sweep with stages.
  """
  chips.parse(options.tpu)
  if options.devices_per_run:
    raise errors.ConfigError(
        '--devices_per_run with --on=skypilot; allowed with --on=local and --on=gcloud')
  if options.provisioning not in _WAYS:
    raise errors.ConfigError(
        f'--provisioning={options.provisioning} with --on=skypilot; allowed: {", ".join(_WAYS)}; '
        'with --on=gcloud all')
  jobs = list(get_jobs())
  if any(job.until or job.dropped for job in jobs):
    raise errors.ConfigError(
        'a run is handed to SkyPilot once and goes to its end there; allowed for a sweep with '
        'stages: --on=local or --on=gcloud')
  if options.dry_run:
    dry_run.show(jobs, lambda job: f'# {path_of(job)}\n{dump(task(job, options))}'
                 f'{shlex.join(command(job))}')
    return 0
  jobs = jobs_lib.unfinished(jobs)
  if any(leases.is_local(job.folder) for job in jobs):
    logging.warning('the workdir is not gs://...: the hosts must see the same folder under the '
                    'same path')
  failed, moves = False, elsewhere.Moves('skypilot')
  for job in jobs:
    job.folder.mkdir(parents=True, exist_ok=True)
    lease = leases.Lease(os.path.join(job.folder, 'launcher.lease'))
    if not lease.acquire():
      logging.info('%s: another launcher has it in hand', job.name)
      continue
    try:
      if moves.in_the_way(job):
        failed = True
        logging.error('%s: another place still saves it; the same command again submits it',
                      job.name)
      else:
        failed |= not _submit(job, options)
    finally:
      lease.release()
  view.print_table(jobs)
  return 1 if failed else 0


def task(job: jobs_lib.Job, options: jobs_lib.Options) -> dict[str, Any]:
  """Returns a run as a SkyPilot task."""
  tpu = chips.parse(options.tpu)
  infra = 'gcp' + (f'/{options.zone.rpartition("-")[0]}/{options.zone}' if options.zone else '')
  return {
      'name': name_of(job),
      'workdir': str(hosts.ROOT),
      'resources': {
          'infra': infra,
          'accelerators': f'tpu-{tpu.name}:1',
          'accelerator_args': {
              'runtime_version': options.runtime_version or tpu.chip.runtime,
              'tpu_vm': True,
              'gcp_queued_resource': True},
          'use_spot': options.provisioning == 'spot',
          'job_recovery': {'max_restarts_on_errors': 3},
      },
      'num_nodes': 1,
      'setup': _SETUP.format(setup=hosts.setup()),
      'run': _RUN.format(attempts=hosts.attempts(hosts.command_of(job))),
  }


def name_of(job: jobs_lib.Job) -> str:
  """Returns the name of a run's job: letters, digits and '-'."""
  return 'r-' + re.sub('[^a-z0-9]+', '-', job.folder.name.lower()).strip('-')


def path_of(job: jobs_lib.Job) -> pathlib.Path:
  """Returns where a run's file is written."""
  return _FILES / f'{name_of(job)}.yaml'


def command(job: jobs_lib.Job) -> list[str]:
  """Returns the command that submits a run's file."""
  return ['sky', 'jobs', 'launch', '--yes', '--detach-run', '--name', name_of(job),
          str(path_of(job))]


def dump(content: dict[str, Any]) -> str:
  """Returns the text of a file; scripts stand in it as blocks."""
  dumper = type('Dumper', (yaml.SafeDumper,), {})
  dumper.add_representer(str, lambda d, text: d.represent_scalar(
      'tag:yaml.org,2002:str', text, style='|' if '\n' in text else None))
  return yaml.dump(content, Dumper=dumper, sort_keys=False, width=1000)


def _submit(job: jobs_lib.Job, options: jobs_lib.Options) -> bool:
  """Submits a run once; returns whether it is in SkyPilot's hands."""
  record = job.record()
  if record.get('skypilot') and not record['error']:
    logging.info('%s: submitted before, as %s', job.name, record['skypilot'])
    return True
  path_of(job).parent.mkdir(exist_ok=True)
  path_of(job).write_text(dump(task(job, options)))
  try:
    done = subprocess.run(command(job), capture_output=True, text=True, check=False)
  except FileNotFoundError:
    raise errors.UserError(
        "there is no sky command; pip install '.[skypilot]'") from None
  error = jobs_lib.last_error(done.stderr or done.stdout) if done.returncode else ''
  job.note(starts=record['starts'] + 1, skypilot=name_of(job), error=error)
  if error:
    logging.error('%s: not submitted: %s', job.name, error)
  else:
    logging.info('submitted %s as %s', job.name, name_of(job))
  return not error
