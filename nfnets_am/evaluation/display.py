"""An evaluation as a table on the terminal."""

from rich import table

from nfnets_am.core import quantities
from nfnets_am.core import terminal


def show(title: str, result: dict[str, float]) -> None:
  """Prints an evaluation: a row of metrics for the raw weights and one for their average.

  Metrics at several values of something, such as 'top1@0.1', have rows of their own.
  """
  # How many images there are is in the title.
  names = [name for name in quantities.QUANTITIES if name not in ('images', 'tokens', 'sentences')
           and any(quantities.of(key).name == name for key in result)]
  rows = table.Table('weights', *names, title=title)
  for label, prefix in (('raw', ''), ('average (EMA)', quantities.EMA)):
    for value in dict.fromkeys(map(quantities.value_at, result)):
      keys = [prefix + (quantities.at(name, float(value)) if value else name) for name in names]
      values = [quantities.of(key).text(result[key]) if key in result else '' for key in keys]
      if any(values):
        rows.add_row(f'{label}, alpha {value}' if value else label, *values)
  terminal.Terminal().print(rows)
