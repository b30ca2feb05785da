"""Shows the output of one run, wherever it runs; --follow goes on until the run has ended.

    python -m launch.logs --workdir=runs/quickstart wide_resnet-n4-seed1-0a1b2c3d4e
    python -m launch.logs --workdir=gs://BUCKET/DIR '*n4-seed1*' --follow

The output of a run on another machine comes through its folder, every minute. Ctrl-C ends this
command and not the run.
"""

from absl import flags

from launch import chosen
from launch import following
from launch import naming
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal

_FOLLOW = flags.DEFINE_bool('follow', False, 'Go on until the run has ended.')
_LINES = flags.DEFINE_integer('lines', 40, 'Lines to begin with; 0: all.', lower_bound=0)
_NAMED: list[str] = []


def main() -> None:
  found = naming.names_of(chosen.jobs(), _NAMED)
  if len(found) > 1:
    raise errors.UserError(
        f'{len(found)} runs are named, {found[0].folder.name} and {found[1].folder.name} among '
        'them; allowed: one')
  try:
    following.show(found[0], _LINES.value, _FOLLOW.value, terminal.say)
  except KeyboardInterrupt:
    pass


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main, named=_NAMED)
