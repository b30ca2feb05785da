"""Shows the output of one run, wherever it runs; --follow goes on until the run has ended.

    python -m launch.logs --workdir=runs/quickstart wide_resnet-n4-seed1-0a1b2c3d4e
    python -m launch.logs --workdir=gs://BUCKET/DIR '*n4-seed1*' --follow

The output of a run on another machine comes through its folder, every minute. Ctrl-C ends this
command and not the run.
"""

from collections.abc import Callable
import time

from absl import flags
from etils import epath

from launch import chosen
from launch import jobs as jobs_lib
from launch import states
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal
from nfnets_am.storage import leases

_FOLLOW = flags.DEFINE_bool('follow', False, 'Go on until the run has ended.')
_LINES = flags.DEFINE_integer('lines', 40, 'Lines to begin with; 0: all.', lower_bound=0)
_NAMED: list[str] = []
# What may hold it: of this machine, and of a slice that has ended.
_FILES = ('log.txt', 'exit.txt')
# Between two looks, on a disk and in a bucket.
_LOOK_S = {True: 0.5, False: 15.0}


class Log:
  """The output of a run, as it grows."""

  def __init__(self, folder: epath.Path):
    """Takes the first of the files that there is; none is no output yet."""
    self._folder = folder
    self._read = 0

  def more(self) -> str:
    """Returns what was written since the last call; all of it after the file was begun anew."""
    path = next((self._folder / name for name in _FILES if (self._folder / name).exists()), None)
    if path is None:
      return ''
    if not leases.is_local(path):
      # A bucket gives the whole object.
      raw = path.read_bytes()
      self._read = self._read if len(raw) >= self._read else 0
      new = raw[self._read:]
    else:
      with open(path, 'rb') as f:
        size = f.seek(0, 2)
        f.seek(self._read if size >= self._read else 0)
        self._read = f.tell()
        new = f.read()
    self._read += len(new)
    return new.decode(errors='replace')


def show(job: jobs_lib.Job, lines: int, follow: bool, say: Callable[[str], None]) -> None:
  """Shows a run's output.

  Args:
    job: the run.
    lines: at most so many of what there is by now; 0 is all.
    follow: whether to go on until nobody works on the run and none will by itself.
    say: takes a text of whole lines, without the last line's end.

  Raises:
    UserError: there is no output, and none is to be waited for.
  """
  log = Log(job.folder)
  text = log.more()
  if not text and not follow:
    raise errors.UserError(f'{job.name} has no output in {job.folder} yet; allowed: --follow')
  known = text.splitlines()
  if known:
    say('\n'.join(known[-lines:] if lines else known))
  while follow:
    state = states.state_of(job)
    text = log.more()
    if text:
      say(text.removesuffix('\n'))
    elif state.status not in states.TO_COME:
      say(f'({job.name}: {state.status}{f", {state.reason}" * bool(state.reason)})')
      return
    time.sleep(_LOOK_S[leases.is_local(job.folder)])


def main() -> None:
  found = chosen.names_of(chosen.jobs(), _NAMED)
  if len(found) > 1:
    raise errors.UserError(
        f'{len(found)} runs are named, {found[0].folder.name} and {found[1].folder.name} among '
        'them; allowed: one')
  try:
    show(found[0], _LINES.value, _FOLLOW.value, terminal.say)
  except KeyboardInterrupt:
    pass


if __name__ == '__main__':
  flags.mark_flags_as_required(['workdir'])
  cli.run(main, named=_NAMED)
