"""The output of a run, as it grows."""

from collections.abc import Callable
import time

from etils import epath

from launch import jobs as jobs_lib
from launch import states
from nfnets_am.core import errors
from nfnets_am.storage import leases

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
