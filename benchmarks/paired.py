"""Steps that take turns: each round runs all of them, so that other work meets all alike."""

from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
import statistics
import time

from rich import table


def times(steps: Mapping[str, Callable[[], None]], rounds: int,
          clock: Callable[[], float] = time.perf_counter) -> dict[str, list[float]]:
  """Returns the seconds of each step in each round, after a first one of each that is not timed.

  Args:
    steps: by name.
    rounds: of all.
    clock: seconds that have passed; `time.process_time` counts those of this process's cores, which
      other work on them hardly changes.
  """
  found: dict[str, list[float]] = {name: [] for name in steps}
  for step in steps.values():
    step()
  for _ in range(rounds):
    for name, step in steps.items():
      began = clock()
      step()
      found[name].append(clock() - began)
  return found


def rows(title: str, found: Mapping[str, Sequence[float]], ratio: str, ratios: Sequence[float]
         ) -> table.Table:
  """Returns a table of medians and spreads, in ms, and as its last row that of the ratios."""
  shown = table.Table('step', 'median ms', 'least to most', title=title)
  for name, values in found.items():
    shown.add_row(name, f'{1e3 * statistics.median(values):.1f}',
                  f'{1e3 * min(values):.1f} to {1e3 * max(values):.1f}')
  shown.add_row(ratio, f'{statistics.median(ratios):.2f}',
                f'{min(ratios):.2f} to {max(ratios):.2f}')
  return shown
