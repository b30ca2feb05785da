"""Shows how the runs of a sweep stand.

    python -m launch.status --workdir=runs/quickstart
    python -m launch.status --workdir=gs://BUCKET/DIR --experiment=FILE --watch

Without --experiment it lists the folders that there are; with it also the runs that have none yet.
--watch refreshes until every run has ended, or Ctrl-C.
"""

import time

from absl import flags
from etils import epath
from rich import live

from launch import jobs as jobs_lib
from launch import states
from launch import view
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal

_WORKDIR = flags.DEFINE_string('workdir', None, "The sweep's folder or gs:// address.")
_EXPERIMENT = flags.DEFINE_string('experiment', '', 'Also list the runs of this file to come.')
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")
_SET = flags.DEFINE_multi_string('set', [], 'KEY=VALUE, as launch.sweep was given them.')
_WATCH = flags.DEFINE_bool('watch', False, 'Refresh until every run has ended.')
_EVERY = flags.DEFINE_float('every', 5.0, 'With --watch: seconds.', lower_bound=0.5)


def read() -> list[states.State]:
  """Returns the states of all runs."""
  if _EXPERIMENT.value:
    jobs = jobs_lib.jobs_of(_EXPERIMENT.value, _WORKDIR.value, _SCALE.value, _SET.value)
  else:
    workdir = epath.Path(_WORKDIR.value)
    if not workdir.is_dir():
      raise errors.UserError(f'there is no folder {workdir}')
    jobs = [jobs_lib.Job(folder.name, folder, ()) for folder in sorted(workdir.iterdir())
            if any((folder / name).exists() for name in ('status.json', 'launch.json'))]
  return [states.state_of(job) for job in jobs]


def main() -> None:
  out = terminal.Terminal(width=160)
  title = _WORKDIR.value
  if not _WATCH.value:
    out.print(view.table_of(read(), title))
    return
  try:
    with live.Live(console=out, auto_refresh=False) as shown:
      while True:
        found = read()
        shown.update(view.table_of(found, title), refresh=True)
        if found and not any(state.status in states.TO_COME for state in found):
          return
        time.sleep(_EVERY.value)
  except KeyboardInterrupt:
    pass


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main)
