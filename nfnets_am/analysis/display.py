"""What a measure of runs has found as a table on the terminal."""

from collections.abc import Mapping

from rich import table

from nfnets_am.core import quantities
from nfnets_am.core import terminal


def show(title: str, lines: Mapping[str, Mapping[str, float]]) -> None:
  """Prints a row for every line; a deviation has its error beside it."""
  names = quantities.in_order({name for line in lines.values() for name in line})
  shown = [name for name in names if not name.endswith('_error')]
  rows = table.Table('', *shown, title=title)
  for label, line in lines.items():
    rows.add_row(label, *(_text(line, name) for name in shown))
  terminal.Terminal(width=150).print(rows)


def _text(line: Mapping[str, float], name: str) -> str:
  if name not in line:
    return ''
  text = quantities.of(name).text(line[name])
  error = f'{name}_error'
  return f'{text} ± {quantities.of(error).text(line[error])}' if error in line else text
