"""What a launcher shows: one live view on a terminal, log lines elsewhere."""

from collections.abc import Sequence
import sys
import time
from typing import Protocol

from absl import logging
from rich import console
from rich import live
from rich import progress_bar
from rich import table

from launch import jobs as jobs_lib
from launch import states
from launch import summary
from nfnets_am.core import terminal

_REFRESH_S = {'live': 2.0, 'lines': 30.0}
# This is for a glance; launch.status has all of them.
_MOST_ROWS = 20


class View(Protocol):
  """Shows how a sweep stands."""

  def say(self, text: str) -> None:
    """Says what has just happened."""

  def show(self, total: int, active: Sequence[jobs_lib.Job], waiting: int, failed: int) -> None:
    """Called often; shows now and then."""

  def close(self) -> None:
    """Leaves the terminal as it was."""


def make_view() -> View:
  """Returns a live view if stderr is a terminal, else one of log lines."""
  return _Live() if sys.stderr.isatty() else _Lines()


class _Lines:
  """Log lines."""

  def __init__(self):
    self._last = time.monotonic()

  def say(self, text: str) -> None:
    logging.info('%s', terminal.clean(text))

  def show(self, total, active, waiting, failed) -> None:
    if time.monotonic() - self._last < _REFRESH_S['lines'] or not active:
      return
    self._last = time.monotonic()
    running = [f'{s.name} at update {s.update} of {s.updates or "?"}'
               for s in map(states.state_of, active[:_MOST_ROWS])]
    if len(active) > _MOST_ROWS:
      running.append(f'and {len(active) - _MOST_ROWS} more')
    logging.info('%s; %s', _counts(total, len(active), waiting, failed), '; '.join(running))

  def close(self) -> None:
    pass


class _Live:
  """A block at the foot of the terminal: counts, and a bar for each running run."""

  def __init__(self):
    self._console = terminal.Terminal(stderr=True)
    self._live = live.Live(console=self._console, auto_refresh=False)
    self._live.start()
    self._last = -_REFRESH_S['live']

  def say(self, text: str) -> None:
    self._live.console.print(text)

  def show(self, total, active, waiting, failed) -> None:
    if time.monotonic() - self._last < _REFRESH_S['live']:
      return
    self._last = time.monotonic()
    rows = table.Table.grid(padding=(0, 1))
    # A name that is longer than the screen has room for is folded, and no number is cut.
    rows.add_column(overflow='fold')
    for _ in range(3):
      rows.add_column(no_wrap=True)
    for state in map(states.state_of, active[:_MOST_ROWS]):
      rows.add_row(
          state.name, progress_bar.ProgressBar(max(1, state.updates), state.update, width=30),
          f'{state.update}/{state.updates or "?"}', _left(state))
    more = [f'and {len(active) - _MOST_ROWS} more'] * (len(active) > _MOST_ROWS)
    lines = [*more, _counts(total, len(active), waiting, failed)]
    self._live.update(console.Group(rows, *lines), refresh=True)

  def close(self) -> None:
    self._live.stop()


def _counts(total: int, active: int, waiting: int, failed: int) -> str:
  return (f'{total} runs: {total - active - waiting - failed} done, {active} running, '
          f'{waiting} queued' + (f', {failed} failed' if failed else ''))


def _left(state: states.State) -> str:
  return f'{states.span(state.seconds_left)} left' if state.seconds_left is not None else ''


def print_table(jobs: Sequence[jobs_lib.Job]) -> None:
  """Prints how it all stands at the end of a launch, to stderr: a summary, and what failed."""
  out = terminal.Terminal(stderr=True, width=160)
  for part in summary.overview([states.state_of(job) for job in jobs]):
    out.print(part, soft_wrap=True)
