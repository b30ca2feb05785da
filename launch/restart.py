"""Lets runs of a sweep be tried again that failed or were cancelled; they go on where they were.

    python -m launch.restart --workdir=runs/quickstart wide_resnet-n4-seed1-0a1b2c3d4e

A launcher that works on the sweep takes them up by itself; where there is none, the same
launch.sweep command does. Runs are named as for launch.cancel.
"""

from absl import flags

from launch import asking
from launch import chosen
from launch import naming
from nfnets_am.core import cli
from nfnets_am.core import terminal

_NAMED: list[str] = []


def main() -> None:
  for job in naming.names_of(chosen.jobs(), _NAMED):
    terminal.say(f'{job.name}: {asking.restart(job)}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main, named=_NAMED)
