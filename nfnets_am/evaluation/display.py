"""An evaluation as a table on the terminal."""

from rich import table

from nfnets_am.core import quantities
from nfnets_am.core import terminal


def show(title: str, result: dict[str, float]) -> None:
  """Prints an evaluation: a row of metrics for the raw weights and one for their average."""
  # How many images there are is in the title.
  names = [name for name in quantities.QUANTITIES if name in result and name != 'images']
  rows = table.Table('weights', *names, title=title)
  for label, prefix in (('raw', ''), ('average (EMA)', quantities.EMA)):
    values = [quantities.of(name).text(result[prefix + name]) if prefix + name in result else ''
              for name in names]
    if any(values):
      rows.add_row(label, *values)
  terminal.Terminal().print(rows)
