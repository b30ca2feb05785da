"""Colours, markers and dashes of lines, and the legend below plots that says each of them once."""

from collections.abc import Mapping
from collections.abc import Sequence
import dataclasses
import math
from typing import Any

from nfnets_am.sweeps import paper

# Okabe and Ito's colours, told apart by readers with colour blindness; markers for print.
COLOURS = ('#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9', '#000000')
MARKERS = ('o', 's', '^', 'D', 'v', 'P', 'X')
_DASHES = ('-', '--', ':')
# On an axis of names, where there are no lines to be dashed.
_SHAPES = ('^', 'o', 's', 'D')
# Stars are of another colour than any line, and filled with that of the line they belong to.
_EDGE, _OTHERS, _NEUTRAL = '#7A0019', '#7A0019', '#555555'
_STAR = {'linestyle': 'none', 'marker': '*', 'markersize': 9, 'color': _EDGE,
         'markeredgewidth': 0.8}
# What a legend says, and how it is drawn.
Entry = tuple[str, Mapping[str, Any]]


@dataclasses.dataclass(frozen=True)
class Style:
  """How the lines of a panel look.

  Attributes:
    panel: of a figure.
    values: of its `line`, in order.
    dashes: of its `dashed`, in order.
    names: whether its x axis has names, whose points are not joined.
  """

  panel: paper.Panel
  values: Sequence[Any]
  dashes: Sequence[Any]
  names: bool

  def shift(self, value: Any, dash: Any) -> float:
    """Where beside a name the points of a line stand, so that none hides another."""
    several = len(self.values) * len(self.dashes)
    if several == 1 or value not in self.values or dash not in self.dashes:
      return 0.0
    i = self.values.index(value) * len(self.dashes) + self.dashes.index(dash)
    return 0.4 * (i / (several - 1) - 0.5)

  def of_line(self, value: Any, dash: Any) -> dict[str, Any]:
    """Returns the options of a line."""
    colour = COLOURS[self.values.index(value) % len(COLOURS)]
    marker = MARKERS[self.values.index(value) % len(MARKERS)]
    i = self.dashes.index(dash)
    if self.names:
      return {'color': colour, 'marker': _SHAPES[i % len(_SHAPES)] if len(self.dashes) > 1 else 'o',
              'linestyle': 'none', 'markersize': 4, 'capsize': 2}
    return {'color': colour, 'marker': marker, 'linestyle': _DASHES[i % len(_DASHES)],
            'markerfacecolor': colour if i == 0 else 'white', 'markersize': 4, 'capsize': 2,
            'linewidth': 1.2}

  def of_star(self, number: paper.Number) -> dict[str, Any]:
    """Returns the options of a printed number.

    It is filled with its line's colour, or half filled where that is not solid; what others have
    printed is of one colour.
    """
    own, value = number.reading in paper.READINGS, number.cell.get(self.panel.line)
    face, dash = 'white', number.cell.get(self.panel.dashed)
    if not own:
      face, dash = _OTHERS, None
    elif len(self.values) > 1 and value in self.values:
      face = COLOURS[self.values.index(value) % len(COLOURS)]
    return {**_STAR, 'zorder': 4, 'markerfacecolor': face, **self._filled(dash)}

  def _filled(self, dash: Any) -> dict[str, Any]:
    if self.names or dash not in self.dashes[1:]:
      return {'fillstyle': 'full'}
    return {'fillstyle': ('left', 'bottom', 'right')[self.dashes.index(dash) % 3 - 1],
            'markerfacecoloralt': 'white'}

  def entries(self, printed: Sequence[paper.Number]) -> list[Entry]:
    """Returns what the legend says; what is the same for all lines is not said.

    Args:
      printed: the numbers that have stars.
    """
    found: list[Entry] = []
    if len(self.values) > 1:
      found += [(self.text(self.panel.line, value), self.of_line(value, self.dashes[0]) | (
          {'marker': 's'} if self.names else {})) for value in self.values]
    if len(self.dashes) > 1:
      starred = {number.cell.get(self.panel.dashed) for number in printed}
      for dash in self.dashes:
        options = self.of_line(self.values[0], dash) | {'color': _NEUTRAL}
        if not self.names:
          options |= {**_STAR, 'color': _NEUTRAL, 'linestyle': options['linestyle'],
                      'markerfacecolor': _NEUTRAL, **self._filled(dash)}
          options['marker'] = '*' if dash in starred else ''
        found.append((self.text(self.panel.dashed, dash), options))
    for source in dict.fromkeys(
        'the paper' if number.reading in paper.READINGS else number.reading for number in printed):
      found.append((source, _STAR | {
          'markerfacecolor': 'white' if source == 'the paper' else _OTHERS}))
    return found

  def text(self, key: str, value: Any) -> str:
    """Returns what a value of a key is called: 'n = 4', '112,600 updates', 'F2'."""
    names = self.panel.names.get(key, {})
    if value in names:
      return names[value]
    if isinstance(value, str):
      return value
    if key in ('updates', 'epochs'):
      return f'{value:,} {key}'
    return f'{"n" if key == "multiplicity" else key} = {value:g}'


def put(fig: Any, axes: Sequence[Any], listed: Sequence[Sequence[Entry]]) -> None:
  """Puts one legend below all plots where they say the same, else one below each.

  Args:
    fig: of matplotlib, with a constrained layout.
    axes: of its plots.
    listed: the entries of each.
  """
  whole: dict[str, Mapping[str, Any]] = {}
  for entries in listed:
    for text, options in entries:
      if whole.setdefault(text, options) != options:
        # The same words mean different things.
        for axis, own in zip(axes, listed, strict=True):
          _legend(axis, dict(own), {'loc': 'upper center', 'bbox_to_anchor': (0.5, -0.22)},
                  fig.get_figwidth() / axis.get_subplotspec().get_gridspec().ncols)
        return
  _legend(fig, whole, {'loc': 'outside lower center'}, fig.get_figwidth())


def _legend(owner: Any, entries: Mapping[str, Mapping[str, Any]], where: Mapping[str, Any],
            inches: float) -> None:
  from matplotlib import lines
  if not entries:
    return
  handles = [lines.Line2D([], [], label=text, **{
      key: value for key, value in options.items() if key != 'capsize'})
             for text, options in entries.items()]
  # In columns, so that it is no wider than what it belongs to.
  widest = max(map(len, entries)) * 0.06 + 0.5
  columns = max(1, min(len(handles), int(inches / widest)))
  columns = math.ceil(len(handles) / math.ceil(len(handles) / columns))
  owner.legend(handles=handles, ncols=columns, frameon=False, fontsize=7, **where)
