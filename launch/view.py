"""What a launcher shows: one live view on a terminal, log lines elsewhere."""

from collections.abc import Sequence
import sys
import time
from typing import Protocol

from absl import logging
from rich import live
from rich import progress_bar
from rich import table
from rich import text

from launch import jobs as jobs_lib
from launch import states
from nfnets_am.core import terminal
from nfnets_am.sweeps import outcomes

_REFRESH_S = {'live': 2.0, 'lines': 30.0}
_COLOURS = {'finished': 'green', 'running': 'cyan', 'diverged': 'yellow', 'failed': 'red',
            'queued': 'default', outcomes.NOT_SELECTED: 'dim'}
# The live view is for a glance; launch.status has all of them.
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
    running = [states.state_of(job) for job in active]
    logging.info('%s; %s', _counts(total, len(active), waiting, failed), '; '.join(
        f'{s.name} at update {s.update} of {s.updates or "?"}' for s in running))

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
    for state in map(states.state_of, active[:_MOST_ROWS]):
      rows.add_row(
          state.name, progress_bar.ProgressBar(max(1, state.updates), state.update, width=30),
          f'{state.update}/{state.updates or "?"}', _left(state))
    block = table.Table.grid()
    block.add_row(rows)
    block.add_row(_counts(total, len(active), waiting, failed))
    self._live.update(block, refresh=True)

  def close(self) -> None:
    self._live.stop()


def _counts(total: int, active: int, waiting: int, failed: int) -> str:
  return (f'{total} runs: {total - active - waiting - failed} done, {active} running, '
          f'{waiting} queued' + (f', {failed} failed' if failed else ''))


def _left(state: states.State) -> str:
  return f'{states.span(state.seconds_left)} left' if state.seconds_left is not None else ''


def table_of(found: Sequence[states.State], title: str = '') -> table.Table:
  """Returns the table of a sweep: a row for each run."""
  rows = table.Table('run', 'status', 'update', 'interrupted', 'left', 'why', title=title or None)
  for state in found:
    rows.add_row(
        state.name, text.Text(state.status, style=_COLOURS[state.status]),
        f'{state.update}/{state.updates}' if state.updates else '',
        str(state.interruptions or ''), states.span(state.seconds_left), state.reason)
  counts = {kind: sum(s.status == kind for s in found) for kind in _COLOURS}
  rows.caption = ', '.join(f'{count} {kind}' for kind, count in counts.items() if count)
  return rows


def print_table(jobs: Sequence[jobs_lib.Job]) -> None:
  """Prints the table at the end of a launch, to stderr."""
  out = terminal.Terminal(stderr=True, width=160)
  out.print(table_of([states.state_of(job) for job in jobs]))
