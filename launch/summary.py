"""A sweep at a glance: how many runs stand how, how far it all is, and why what failed did."""

from collections.abc import Sequence
import os
import re

from rich import console
from rich import table
from rich import text

from launch import states
from nfnets_am.storage import leases
from nfnets_am.sweeps import outcomes

COLOURS = {'finished': 'green', 'running': 'cyan', 'diverged': 'yellow', 'failed': 'red',
           'queued': 'default', 'cancelled': 'dim', outcomes.NOT_SELECTED: 'dim'}
# Reasons of one status, and runs of one section, that are shown without being asked for.
_MOST_REASONS = 8
MOST_RUNS = 20
_WHOLE = ('finished', 'diverged')
# No part of what a sweep still is.
_LEFT_OUT = ('cancelled', outcomes.NOT_SELECTED)


def lines_of(found: Sequence[states.State], title: str = '') -> list[str]:
  """Returns the summary of a sweep.

  Args:
    found: its runs.
    title: before the first line, such as its folder.
  """
  counts = [f'{sum(s.status == kind for s in found):,} {kind}' for kind in states.STATUSES
            if any(s.status == kind for s in found)]
  lines = [f'{title}: ' * bool(title) + f'{_runs(len(found))}: {", ".join(counts) or "none"}']
  share, left = progress_of(found)
  if share is not None and any(s.status in states.TO_COME for s in found):
    lines.append(f'{share:.1%} of the updates'
                 + (f', about {states.span(left)} left at the present speed' if left else ''))
  for kind in states.STATUSES:
    groups = sorted(reasons(found, kind).items(), key=lambda pair: -len(pair[1]))
    lines += [f'{kind}, {_runs(len(group))}: {reason}' for reason, group in groups[:_MOST_REASONS]]
    if len(groups) > _MOST_REASONS:
      rest = sum(len(group) for _, group in groups[_MOST_REASONS:])
      lines.append(f'{kind}, {_runs(rest)}: for {len(groups) - _MOST_REASONS} other reasons')
  return lines


def progress_of(found: Sequence[states.State]) -> tuple[float | None, float | None]:
  """Returns the share of the sweep's updates that is done, and the seconds that the rest takes.

  A run that does not know its updates yet is taken to have as many as the others on the average,
  and the runs that wait to go as fast as those that run.

  Returns:
    Share and seconds; None for what is not known.
  """
  counted = [s for s in found if s.status not in _LEFT_OUT]
  known = [s.updates for s in counted if s.updates]
  if not known:
    return None, None
  mean = sum(known) / len(known)
  whole = sum(s.updates or mean for s in counted)
  done = sum((s.updates or mean) if s.status in _WHOLE else s.update for s in counted)
  rate = sum((s.updates - s.update) / s.seconds_left for s in found if s.seconds_left)
  to_come = sum((s.updates or mean) - s.update for s in counted if s.status in states.TO_COME)
  slowest = max((s.seconds_left for s in found if s.seconds_left), default=0.0)
  return done / whole, max(to_come / rate, slowest) if rate else None


def reasons(found: Sequence[states.State], kind: str) -> dict[str, list[states.State]]:
  """Returns the runs of a status that gives reasons: reason -> runs.

  Reasons that differ in the run's own name and folder, or in numbers, are one; it is said as the
  first run says it.
  """
  groups: dict[str, tuple[str, list[states.State]]] = {}
  for state in found:
    if state.status == kind and state.reason:
      said = _without_self(state)
      groups.setdefault(re.sub(r'\d+', '0', said), (said, []))[1].append(state)
  return dict(groups.values())


def _without_self(state: states.State) -> str:
  said = state.reason
  folders = {state.folder, os.path.abspath(state.folder) if leases.is_local(state.folder) else ''}
  for folder in sorted(folders - {''}, key=len, reverse=True):
    # ' (exit status 1, FOLDER/log.txt)': the log is named with the run.
    said = said.replace(f', {folder}/log.txt', '').replace(folder, 'RUN')
  return said.replace(state.name, 'RUN') if len(state.name) > 3 else said


def _runs(count: int) -> str:
  return f'{count:,} run{"s" * (count != 1)}'


def overview(found: Sequence[states.State], title: str = '', *, most: int = MOST_RUNS
             ) -> list[console.RenderableType]:
  """Returns the summary, and then what is running and what failed, at most so many runs of each."""
  parts: list[console.RenderableType] = list(lines_of(found, title))
  for kind, section in (('running', _running), ('failed', _failed)):
    chosen = [s for s in found if s.status == kind]
    if chosen:
      parts += section(chosen[:most])
      if len(chosen) > most:
        parts.append(f'and {len(chosen) - most:,} more: --{kind}')
  return parts


def _running(chosen: Sequence[states.State]) -> list[console.RenderableType]:
  rows = table.Table('running', 'update', 'left', *['interrupted'] * _interrupted(chosen))
  for s in chosen:
    rows.add_row(s.name, f'{s.update}/{s.updates or "?"}', states.span(s.seconds_left),
                 *[str(s.interruptions or '')] * _interrupted(chosen))
  return [rows]


def _interrupted(chosen: Sequence[states.State]) -> bool:
  return any(s.interruptions for s in chosen)


def _failed(chosen: Sequence[states.State]) -> list[console.RenderableType]:
  """Returns lines and no table: a log's path is whole."""
  found: list[console.RenderableType] = [text.Text('failed', style='red')]
  for s in chosen:
    at = f' at update {s.update}' if s.update else ''
    found.append(f'{s.name}{at}: {s.reason}')
    if s.log not in s.reason:
      found.append(f'  {s.log}')
  return found


def table_of(found: Sequence[states.State], title: str = '') -> table.Table:
  """Returns a table with a row for each run."""
  rows = table.Table('run', 'status', 'update', 'interrupted', 'left', 'why', title=title or None)
  for s in found:
    rows.add_row(
        s.name, text.Text(s.status, style=COLOURS[s.status]),
        f'{s.update}/{s.updates}' if s.updates else '',
        str(s.interruptions or ''), states.span(s.seconds_left), _without_self(s))
  return rows


def every(found: Sequence[states.State], kind: str, title: str = '') -> list[
    console.RenderableType]:
  """Returns the summary, and then every run of a status: 'running', 'failed', or 'all'."""
  if kind == 'all':
    return [*lines_of(found, title), table_of(found)]
  chosen = [s for s in found if s.status == kind]
  section = {'running': _running, 'failed': _failed}[kind]
  return [*lines_of(found, title), *(section(chosen) if chosen else ())]
