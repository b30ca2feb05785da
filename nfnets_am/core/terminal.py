"""What people read on a terminal: the one place where text from files, names and errors is printed.

A run's name, a folder or a reason may hold anything. Square brackets are no markup here, and what a
terminal would obey in place of showing it is shown. Tables are made to fit (tables.py).
"""

from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import re
from typing import Any

from absl import logging
from rich import console
from rich import segment
from rich import table
from rich import text as rich_text

from nfnets_am.core import tables

# Control characters but the tab and the end of a line: those of ASCII, of Latin-1, and the marks
# that turn the direction of a line.
_CONTROL = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')


def clean(text: str) -> str:
  """Returns a text with its control characters as escapes, '\\x1b'."""
  return _CONTROL.sub(lambda found: found[0].encode('unicode_escape').decode(), text)


def say(text: str) -> None:
  """Prints a text to stdout as it is, at once; rich has no hand in it."""
  print(clean(text), flush=True)


class Formatter(logging.PythonFormatter):
  """Formats log lines, which people read on a terminal too."""

  def format(self, record: Any) -> str:
    return clean(super().format(record))


class Terminal(console.Console):
  """rich's console, for which a string is what it says; colours come as rich Texts."""

  def __init__(self, *, stderr: bool = False, width: int | None = None):
    """Opens it.

    Args:
      stderr: whether to print there.
      width: in columns, where the output is no terminal; None is rich's own.
    """
    super().__init__(stderr=stderr, markup=False, emoji=False, highlight=False)
    if width and not self.is_terminal:
      self.width = width

  def print(self, *objects: Any, **kwargs: Any) -> None:
    if len(objects) == 1 and isinstance(objects[0], table.Table):
      for part in self.fitted(objects[0]):
        with self._wide_enough(part):
          super().print(part, soft_wrap=not isinstance(part, table.Table))
      return
    super().print(*objects, **kwargs)

  def fitted(self, shown: table.Table) -> list[console.RenderableType]:
    """Returns what to show in place of a table, for a live view; see tables.fit."""
    return tables.fit(shown, self.width, stretch=not self.is_terminal, clean=clean)

  @contextlib.contextmanager
  def _wide_enough(self, part: console.RenderableType) -> Iterator[None]:
    """A pipe that is as wide as what it gets; a terminal is as it is."""
    before = self.width
    if not self.is_terminal:
      needed = self.measure(part, options=self.options.update(max_width=1 << 20)).maximum
      self.width = max(before, needed)
    try:
      yield
    finally:
      if not self.is_terminal:
        self.width = before

  def render_str(self, text: str, **kwargs: Any) -> rich_text.Text:
    return super().render_str(clean(text), **{**kwargs, 'markup': False, 'emoji': False})

  def render(self, renderable: Any, options: Any = None) -> Iterable[segment.Segment]:
    # Texts come by here, and not by render_str.
    for part in super().render(renderable, options):
      if part.control is None and _CONTROL.search(part.text):
        part = part._replace(text=clean(part.text))
      yield part
