"""Shows how the runs of a sweep stand: a summary, then what is running and what failed.

    python -m launch.status --workdir=runs/quickstart
    python -m launch.status --workdir=runs/quickstart --failed
    python -m launch.status --workdir=gs://BUCKET/DIR --experiment=FILE --watch

--failed, --running and --all list every such run. Without --experiment the folders that there are
count; with it also the runs that have none yet. --watch refreshes until every run has ended, or
Ctrl-C.
"""

import time

from absl import flags
from rich import console
from rich import live
from rich import table

from launch import chosen
from launch import states
from launch import summary
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal

_LISTS = {
    'failed': flags.DEFINE_bool('failed', False, 'List every run that failed, with its log.'),
    'running': flags.DEFINE_bool('running', False, 'List every run that is running.'),
    'all': flags.DEFINE_bool('all', False, 'List every run.'),
}
_WATCH = flags.DEFINE_bool('watch', False, 'Refresh until every run has ended.')
_EVERY = flags.DEFINE_float('every', 5.0, 'With --watch: seconds.', lower_bound=0.5)


def read() -> list[states.State]:
  """Returns the states of all runs."""
  return [states.state_of(job) for job in chosen.jobs()]


def shown(found: list[states.State], most: int) -> list[console.RenderableType]:
  """Returns what the flags ask for, without them at most so many runs of a status."""
  for kind, flag in _LISTS.items():
    if flag.value:
      return summary.every(found, kind, flags.FLAGS.workdir)
  return summary.overview(found, flags.FLAGS.workdir, most=most)


def main() -> None:
  if sum(flag.value for flag in _LISTS.values()) > 1:
    raise errors.UserError('say one of --failed, --running and --all')
  out = terminal.Terminal(width=160)
  if not _WATCH.value:
    for part in shown(read(), summary.MOST_RUNS):
      out.print(part, soft_wrap=True)
    return
  try:
    with live.Live(console=out, auto_refresh=False) as screen:
      while True:
        found = read()
        # What a screen has room for.
        parts = shown(found, max(3, out.height // 4))
        screen.update(console.Group(*(
            line for part in parts
            for line in (out.fitted(part) if isinstance(part, table.Table) else [part]))),
                      refresh=True)
        if found and not any(state.status in states.TO_COME for state in found):
          return
        time.sleep(_EVERY.value)
  except KeyboardInterrupt:
    pass


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main)
