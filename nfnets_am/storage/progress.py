"""How far a run is, on the terminal."""

import sys
import time

from absl import logging
from rich import progress as rich_progress

from nfnets_am.core import terminal


class Progress:
  """How far a run is, how fast and how long still: a bar on a terminal, log lines elsewhere."""

  def __init__(self, *, updates: int, start: int, views: int, show: bool = True,
               every_s: float = 30.0):
    """Begins.

    Args:
      updates: of the whole run.
      start: updates done before this start.
      views: in one update.
      show: whether anything is shown; one host of many does.
      every_s: seconds between two log lines.
    """
    self._updates, self._first, self._views, self._every_s = updates, start, views, every_s
    self._began = None
    self._logged = time.monotonic()
    self._bar = None
    self._shown = show
    if show and sys.stderr.isatty():
      self._bar = rich_progress.Progress(
          rich_progress.TextColumn('update {task.completed}/{task.total}'),
          rich_progress.BarColumn(),
          rich_progress.TextColumn('{task.fields[text]}'),
          rich_progress.TimeRemainingColumn(),
          console=terminal.Terminal(stderr=True))
      self._task = self._bar.add_task('', total=updates, completed=start, text='')
      self._bar.start()

  def show(self, update: int, loss: float) -> None:
    """Called after every update with its training loss."""
    now = time.monotonic()
    if self._began is None:
      # The first update compiles, which says nothing of the speed.
      self._began, self._first = now, update
    text = f'loss {loss:.3f}'
    if update > self._first:
      speed = (update - self._first) / max(now - self._began, 1e-9)
      text += f', {speed:.1f} updates/s, {speed * self._views:.0f} views/s'
      if not self._bar:
        text += f', {_span((self._updates - update) / speed)} left'
    if self._bar:
      self._bar.update(self._task, completed=update, text=text)
    elif self._shown and (now - self._logged >= self._every_s or update == self._updates):
      self._logged = now
      logging.info('update %d/%d, %s', update, self._updates, text)

  def say(self, text: str) -> None:
    """Prints a line beside the bar, or logs it."""
    if self._bar:
      self._bar.console.print(text)
    elif self._shown:
      logging.info('%s', text)

  def close(self) -> None:
    if self._bar:
      self._bar.stop()


def _span(seconds: float) -> str:
  if seconds >= 86400:
    return f'{seconds / 86400:.1f} days'
  return time.strftime('%H:%M:%S', time.gmtime(seconds))
