"""Lets runs of a sweep be tried again that failed or were cancelled; they go on where they were.

    python -m launch.restart --workdir=runs/quickstart wide_resnet-n4-seed1-0a1b2c3d4e

A launcher that works on the sweep takes them up by itself; where there is none, the same
launch.sweep command does. Runs are named as for launch.cancel.
"""

import os

from absl import flags

from launch import chosen
from launch import jobs as jobs_lib
from launch import requests
from launch import states
from nfnets_am.core import cli
from nfnets_am.core import terminal
from nfnets_am.storage import leases

_NAMED: list[str] = []


def restart(job: jobs_lib.Job) -> str:
  """Takes back what keeps a run from going on; returns what becomes of it, for people."""
  if job.ended:
    status = states.state_of(job).status
    return f'{status} before: to run it again, remove its folder {job.folder}'
  back = requests.restore(job.folder)
  lease = leases.Lease(os.path.join(job.folder, 'launcher.lease'))
  if not lease.acquire():
    return 'a launcher has it in hand'
  try:
    if not (back or job.record()['error']):
      return f'{states.state_of(job).status}: nothing keeps it from going on'
    # Its deaths too: whoever asks has mended what it died of.
    job.note(error='', deaths={})
  finally:
    lease.release()
  return 'it goes on as soon as a launcher has room; without one, by the same launch.sweep command'


def main() -> None:
  for job in chosen.names_of(chosen.jobs(), _NAMED):
    terminal.say(f'{job.name}: {restart(job)}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main, named=_NAMED)
