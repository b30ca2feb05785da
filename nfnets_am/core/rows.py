"""A table that is printed row by row, because each row takes a while to find."""

from collections.abc import Mapping
from collections.abc import Sequence

from nfnets_am.core import terminal


class Rows:
  """Rows under a heading, in columns of fixed widths; what is longer moves the rest of its row."""

  def __init__(self, out: terminal.Terminal, columns: Mapping[str, int]):
    """Prints the heading.

    Args:
      out: where to print.
      columns: title -> width, negative for numbers, which stand on the right.
    """
    self._out, self._widths = out, tuple(columns.values())
    self.add(tuple(columns))
    self.line()

  def add(self, cells: Sequence[str]) -> None:
    """Prints a row, at once."""
    text = '  '.join(f'{cell:>{-width}}' if width < 0 else f'{cell:<{width}}'
                     for cell, width in zip(cells, self._widths, strict=True))
    self._out.print(text.rstrip(), soft_wrap=True)

  def line(self) -> None:
    """Prints a line between two parts."""
    self._out.print('  '.join('-' * abs(width) for width in self._widths), soft_wrap=True)
