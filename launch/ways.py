"""What a sweep costs in each way that launch.sweep knows: a slice for each run, or shared ones.

A run is more than its updates. Its machine boots, a Python is installed there, and each program is
compiled once on it; then data are read and the step is traced. The seconds are assumed, not
measured: nothing of this project has run on a TPU. launch.plan takes others.
"""

from collections.abc import Sequence
import dataclasses
import heapq

from launch import chips
from launch import groups


@dataclasses.dataclass(frozen=True)
class Start:
  """Seconds before the first update.

  Attributes:
    boot: of a machine, from the request's being granted.
    install: of Python and its libraries, once on a machine.
    compile: of a program, once on a machine; it is kept there.
    begin: of every run: imports, reading data, tracing.
  """

  boot: float = 180.0
  install: float = 150.0
  compile: float = 90.0
  begin: float = 30.0

  @property
  def machine(self) -> float:
    return self.boot + self.install

  @property
  def alone(self) -> float:
    """Of a run that has a machine of its own."""
    return self.machine + self.compile + self.begin


@dataclasses.dataclass(frozen=True)
class Way:
  """How the runs of a sweep may have slices.

  Attributes:
    tpu: the slice.
    how: 'each' is a slice for each run; 'chips' is one slice, on which every run has a chip;
      'turns' is one slice, on which one run after the other has all chips.
    core_hours: of all runs, their starts included.
    hours: until the last run ends: with 'each' all run at once, else there is one slice.
    refusal: why it cannot be.
  """

  tpu: chips.Slice
  how: str
  core_hours: float = 0.0
  hours: float = 0.0
  refusal: str = ''

  @property
  def flags(self) -> str:
    """The flags of launch.sweep that do it."""
    per_run = {'each': '', 'chips': ' --devices_per_run=1',
               'turns': f' --devices_per_run={self.tpu.chips}'}[self.how]
    return f'--on=gcloud --tpu={self.tpu.name}{per_run}'


# Ways that cost so little more than the cheapest are as good.
_ABOUT = 1.02
NAMES = {'each': 'a slice for each run', 'chips': 'one slice, a chip for each run',
         'turns': 'one slice, one run after the other'}


def ways(rows: Sequence[groups.Row], tpu: chips.Slice, start: Start) -> list[Way]:
  """Returns all ways, those that cost least first and those that cannot be last.

  Args:
    rows: of the sweep on `tpu`.
    tpu: that the plan is for; the slices of its generation that one host has are compared to it.
    start: of a run.
  """
  found = []
  alone = [row.on(chips.part_of(tpu, 1)) for row in rows]
  small = chips.of_one_host(tpu.chip)
  for other in [*small, *[tpu] * (tpu not in small)]:
    there = rows if other == tpu else [row.on(other) for row in rows]
    found.append(_each(there, other, start))
    # One run on one chip at a time is a slice of one chip either way.
    if other.hosts == 1 and sum(len(row.cells) for row in rows) > 1:
      found.append(_shared(there, other, start, 'turns'))
      if other.chips > 1:
        found.append(_shared(alone, other, start, 'chips'))
  return sorted(found, key=lambda way: (bool(way.refusal), way.core_hours, way.hours))


def _why_not(rows: Sequence[groups.Row], tpu: chips.Slice) -> str:
  for row in rows:
    if row.refusal:
      return f'{row.label}: {row.refusal}'
    if row.estimate.fits(tpu.chip) == 'no':
      return f'{row.label} does not fit'
  return ''


def _each(rows: Sequence[groups.Row], tpu: chips.Slice, start: Start) -> Way:
  if why := _why_not(rows, tpu):
    return Way(tpu, 'each', refusal=why)
  seconds = [(_run_seconds(row, tpu, 1) + start.alone, len(row.cells)) for row in rows]
  whole = sum(length * count for length, count in seconds)
  longest = max(row.derived.updates * _update_ms(row, tpu, 1) / 1e3 for row in rows)
  return Way(tpu, 'each', whole / 3600 * tpu.cores, (longest + start.alone) / 3600)


def _shared(rows: Sequence[groups.Row], tpu: chips.Slice, start: Start, how: str) -> Way:
  """All runs on one slice, the longest first, each where there is room first."""
  if why := _why_not(rows, tpu):
    return Way(tpu, how, refusal=why)
  slots = tpu.chips if how == 'chips' else 1
  at_once = min(slots, sum(len(row.cells) for row in rows))
  lengths, compiled = [], set()
  for row in rows:
    # What is compiled is kept; that two runs may compile the same at once is not counted.
    whole = start.begin + _run_seconds(row, tpu, at_once)
    lengths += [whole + start.compile * (row.program not in compiled)]
    lengths += [whole] * (len(row.cells) - 1)
    compiled.add(row.program)
  ends = [0.0] * slots
  for length in sorted(lengths, reverse=True):
    heapq.heappushpop(ends, ends[0] + length)
  seconds = start.machine + max(ends)
  return Way(tpu, how, seconds / 3600 * tpu.cores, seconds / 3600)


def _run_seconds(row: groups.Row, tpu: chips.Slice, at_once: int) -> float:
  """Returns the seconds of one run on the average; with stages, some end early."""
  return row.updates / len(row.cells) * _update_ms(row, tpu, at_once) / 1e3


def _update_ms(row: groups.Row, tpu: chips.Slice, at_once: int) -> float:
  """Returns the time of an update: the step's, or the input's, for which the runs share CPUs."""
  return max(row.estimate.ms, row.cpu_ms * at_once / (tpu.host_cpus * tpu.hosts))


def best(found: Sequence[Way]) -> Way | None:
  """Returns the quickest of the ways that cost about the least; None if there is none."""
  can = [way for way in found if not way.refusal]
  least = min((way.core_hours for way in can), default=0.0)
  return min((way for way in can if way.core_hours <= _ABOUT * least), default=None,
             key=lambda way: (way.hours, way.core_hours))


def advice(found: Sequence[Way], tpu: chips.Slice) -> str:
  """Returns what to do, in a sentence; '' if no way is possible."""
  chosen = best(found)
  if chosen is None:
    return ''
  said = (f'cheapest: {NAMES[chosen.how]}, {chosen.tpu.name}: '
          f'{hours_text(chosen.core_hours)} core-hours')
  asked = next(way for way in found if way.tpu == tpu and way.how == 'each')
  if not asked.refusal and asked != chosen:
    said += f', where {tpu.name} for each run takes {hours_text(asked.core_hours)}'
  return f'{said}. launch.sweep {chosen.flags}'


def hours_text(hours: float) -> str:
  """Returns hours with the digits that they are worth."""
  return f'{hours:,.0f}' if hours >= 100 else f'{hours:.3g}'
