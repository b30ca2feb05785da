"""Tables that fit where they are printed, without cutting a number or a name.

What is too wide loses first what says nothing: columns that are the same in every row, and
beginnings that all cells of a column share, which are then said once above the table. Prose is
wrapped between words. What is still too wide for a terminal becomes several tables with the first
column in each, or, if that is too wide itself, a block for each row; a pipe has no width, so there
the table is as wide as it must be.
"""

from collections.abc import Callable
from collections.abc import Sequence
import copy
import dataclasses
import os
import re

from rich import cells as cells_lib
from rich import console as rich_console
from rich import table
from rich import text as rich_text

# A column with its two spaces and a line, and the last line.
_EDGE = 3
# A cell that is no longer, '12 min' or '3.1 to 4.2', stays on one line.
_SHORT = 16
# A shared beginning ends behind one of these, and is worth a line of its own if it is so long.
_BREAK = re.compile(r'[,/:]')
_PREFIX = 6
# In a table that is wider than it should be, prose need not be narrower than this.
_PROSE = 40


@dataclasses.dataclass(frozen=True)
class _Column:
  """A column of strings or Texts, `index` of the table that it is from."""

  index: int
  header: str
  cells: tuple[str | rich_text.Text, ...]

  @property
  def natural(self) -> int:
    """Width with nothing wrapped."""
    return max(_length(line) for cell in (self.header, *self.cells)
               for line in str(cell).split('\n'))

  @property
  def least(self) -> int:
    """Width at which nothing is cut."""
    words = self.header.split()
    for cell in self.cells:
      for line in str(cell).split('\n'):
        words += [line] if _length(line) <= _SHORT else line.split()
    return max(map(_length, words), default=1)


def fit(shown: table.Table, width: int, *, stretch: bool, clean: Callable[[str], str]
        ) -> list[rich_console.RenderableType]:
  """Returns what to print in place of a table.

  Args:
    shown: a table with a box, of strings and Texts; any other is returned as it is.
    width: in columns.
    stretch: whether it may be wider if it must, as in a pipe.
    clean: what becomes of the texts when they are printed.

  Returns:
    Lines that say what all rows share, if any, and the table or its parts; or lines alone.
  """
  if shown.box is None or not shown.columns or not shown.rows or not all(
      isinstance(cell, (str, rich_text.Text)) for column in shown.columns for cell in column.cells):
    return [shown]
  columns = [
      _Column(i, clean(str(column.header)), tuple(
          clean(cell) if isinstance(cell, str) else rich_text.Text(clean(cell.plain), cell.style)
          for cell in column.cells))
      for i, column in enumerate(shown.columns)]
  # The rows that are alike: those of the last section may be totals.
  ends = [i for i, row in enumerate(shown.rows[:-1]) if row.end_section]
  body = ends[-1] + 1 if ends else len(shown.rows)
  said = []
  if _natural(columns) > width:
    columns, said = _without_constants(columns, body)
  if _natural(columns) > width:
    columns, beginnings = _without_beginnings(columns, body)
    said += beginnings
  # Strings are cleaned as they are printed; Texts are not, and would be measured as they are.
  same = all(str(cell) == str(old) for column in columns
             for cell, old in zip(column.cells, shown.columns[column.index].cells, strict=True)
             if isinstance(old, rich_text.Text))
  if same and not said and _natural(columns) <= width:
    return [shown]
  lines = [rich_text.Text(f'in every row: {"; ".join(said)}')] if said else []
  if stretch or _least(columns) <= width:
    widths = _widths(columns, width)
    if _total(widths) > width:
      widths = [max(found, min(column.natural, _PROSE))
                for column, found in zip(columns, widths, strict=True)]
    return [*lines, _rebuilt(shown, columns, widths)]
  parts = _parts(columns, width)
  if not parts:
    return lines + _blocks(shown, columns)
  tables = [_rebuilt(shown, part, _widths(part, width)) for part in parts]
  for before, after in zip(tables, tables[1:], strict=False):
    before.caption = after.title = None
  return lines + tables


def _total(widths: Sequence[int]) -> int:
  """Returns the width of a table with cells that are so wide."""
  return sum(widths) + _EDGE * len(widths) + 1


def _natural(columns: Sequence[_Column]) -> int:
  return _total([column.natural for column in columns])


def _least(columns: Sequence[_Column]) -> int:
  return _total([column.least for column in columns])


def _length(text: str) -> int:
  return cells_lib.cell_len(text)


def _without_constants(columns: list[_Column], body: int) -> tuple[list[_Column], list[str]]:
  """Returns the columns whose rows differ, the first in any case, and what the others say."""
  if body < 2:
    return columns, []
  kept, said = columns[:1], []
  for column in columns[1:]:
    texts = list(map(str, column.cells))
    if len(set(texts[:body])) > 1 or set(texts[body:]) - {'', texts[0]}:
      kept.append(column)
    elif texts[0]:
      said.append(f'{column.header} {texts[0]}')
  return kept, said


def _without_beginnings(columns: list[_Column], body: int) -> tuple[list[_Column], list[str]]:
  """Returns the columns without the beginnings that all of their rows have, and those."""
  kept, said = [], []
  for column in columns:
    texts = list(map(str, column.cells[:body]))
    common = os.path.commonprefix(texts) if len(set(texts)) > 1 else ''
    ends = [found.end() for found in _BREAK.finditer(common)]
    cut = ends[-1] if ends else 0
    if cut >= _PREFIX and all(len(text) > cut for text in texts):
      said.append(f'{column.header} begins with {common[:cut]}')
      column = dataclasses.replace(column, cells=tuple(
          cell[cut:] for cell in column.cells[:body]) + column.cells[body:])
    kept.append(column)
  return kept, said


def _widths(columns: Sequence[_Column], width: int) -> list[int]:
  """Returns widths of the cells: the widest is wrapped first, none to where it would be cut."""
  widths = [column.natural for column in columns]
  least = [column.least for column in columns]
  over = _total(widths) - width
  while over > 0:
    can = [i for i, found in enumerate(widths) if found > least[i]]
    if not can:
      break
    widest = max(can, key=lambda i: widths[i])
    widths[widest] -= 1
    over -= 1
  return widths


def _parts(columns: Sequence[_Column], width: int) -> list[list[_Column]]:
  """Returns the columns of tables that fit, each with the first; none if a column does not."""
  parts: list[list[_Column]] = []
  for column in columns[1:]:
    if parts and _least([*parts[-1], column]) <= width:
      parts[-1].append(column)
    elif _least([columns[0], column]) <= width:
      parts.append([columns[0], column])
    else:
      return []
  return parts


def _rebuilt(shown: table.Table, columns: Sequence[_Column], widths: Sequence[int]) -> table.Table:
  found = copy.copy(shown)
  found.columns, found.rows = [], []
  for column, width in zip(columns, widths, strict=True):
    old = shown.columns[column.index]
    found.add_column(column.header, header_style=old.header_style, style=old.style,
                     justify=old.justify, overflow='fold', width=width)
  for i, row in enumerate(shown.rows):
    found.add_row(*(column.cells[i] for column in columns), style=row.style,
                  end_section=row.end_section)
  return found


def _blocks(shown: table.Table, columns: Sequence[_Column]) -> list[rich_console.RenderableType]:
  """Returns a line for each row, and one for each of its other cells below it."""
  lines = [rich_text.Text(str(shown.title))] if shown.title else []
  for i in range(len(shown.rows)):
    lines.append(rich_text.Text(str(columns[0].cells[i])))
    lines += [rich_text.Text(f'  {column.header}: {column.cells[i]}')
              for column in columns[1:] if str(column.cells[i])]
  return lines + ([rich_text.Text(str(shown.caption))] if shown.caption else [])
