"""What people read on a terminal: the one place where text from files, names and errors is printed.

A run's name, a folder or a reason may hold anything. Square brackets are no markup here, and what a
terminal would obey in place of showing it is shown.
"""

import re
from typing import Any

from rich import console
from rich import text as rich_text

# Control characters but the tab and the end of a line: those of ASCII, of Latin-1, and the marks
# that turn the direction of a line.
_CONTROL = re.compile('[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]')


def clean(text: str) -> str:
  """Returns a text with its control characters as escapes, '\\x1b'."""
  return _CONTROL.sub(lambda found: found[0].encode('unicode_escape').decode(), text)


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

  def render_str(self, text: str, **kwargs: Any) -> rich_text.Text:
    return super().render_str(clean(text), **{**kwargs, 'markup': False, 'emoji': False})
