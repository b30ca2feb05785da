"""Stops runs of a sweep for good: they save, and no launcher starts them again.

    python -m launch.cancel --workdir=runs/quickstart wide_resnet-n4-seed1-0a1b2c3d4e
    python -m launch.cancel --workdir=runs/quickstart '*seed1*'

A run is named by its folder, by a pattern of folders, or with --experiment by its cell. What it has
written stays. launch.restart takes it back.
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
    terminal.say(f'{job.name}: {asking.cancel(job)}')


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main, named=_NAMED)
