"""What a plan waits for, on stderr: a line that moves on a terminal, else a line now and then."""

from collections.abc import Callable

from rich import progress

from launch import states
from nfnets_am.core import terminal

# Between two lines about one program, where the output is no terminal.
_SAY_S = 60.0


class Waiting:
  """A number of things to estimate, one after the other."""

  def __init__(self, total: int, limit_s: float = 0.0, out: terminal.Terminal | None = None):
    """Shows nothing before it is entered.

    Args:
      total: things.
      limit_s: seconds after which a program is not waited for; 0 is none.
      out: where to show it; None is stderr.
    """
    self._out = out or terminal.Terminal(stderr=True)
    self._limit = f' of at most {states.span(limit_s)}' if limit_s else ''
    self._total, self._number = total, 0
    # One bar, made anew by `next`: its words are the thing's.
    self._progress = progress.Progress(
        progress.TextColumn('{task.description}', markup=False), progress.BarColumn(),
        progress.MofNCompleteColumn(), console=self._out, transient=True,
        disable=not self._out.is_terminal)
    self._task = self._progress.add_task('estimating', total=total)

  def __enter__(self) -> 'Waiting':
    self._progress.start()
    return self

  def __exit__(self, *unused) -> None:
    self._progress.stop()

  def next(self, what: str) -> None:
    """Goes on to the next thing."""
    self._progress.update(
        self._task, completed=self._number, description=terminal.clean(f'estimating {what}'))
    self._number += 1

  def compiling(self, what: str) -> Callable[[float], None]:
    """Returns what is to be called with the seconds that compiling a program has taken so far."""
    said = -_SAY_S

    def waits(seconds: float) -> None:
      nonlocal said
      text = f'compiling {what}: {states.span(seconds)}{self._limit}'
      self._progress.update(self._task, description=terminal.clean(text))
      if not self._out.is_terminal and seconds - said >= _SAY_S:
        said = seconds
        self._out.print(f'{text} ({self._number} of {self._total})', soft_wrap=True)

    return waits
