"""Ticks of a plot: at values that were run, as many as there is room for, in short texts."""

from collections.abc import Sequence
import math
from typing import Any

# Inches of a character of a tick, 7 points high, and between two ticks.
_CHARACTER, _GAP = 0.055, 0.07


def put(axis: Any, values: Sequence[float], *, inches: float, log: bool) -> None:
  """Puts the ticks of the x axis at those of the values whose texts do not touch.

  Args:
    axis: of matplotlib, whose limits are set from the values.
    values: that were run; not empty.
    inches: width of the axis.
    log: whether it is logarithmic.
  """
  place = math.log2 if log else float
  values = sorted(set(values))
  span = (place(values[-1]) - place(values[0])) or 1.0
  scale = 0.9 * inches / span
  shown, end = [], -math.inf
  for value in values:
    middle, half = scale * place(value), len(plain(value)) * _CHARACTER / 2
    if middle - half >= end + _GAP:
      shown.append(value)
      end = middle + half
  axis.set_xticks(shown, [text(value) for value in shown])
  axis.minorticks_off()
  margin = 0.05 * span if len(values) > 1 else 1.0
  low, high = place(values[0]) - margin, place(values[-1]) + margin
  axis.set_xlim(*((2**low, 2**high) if log else (low, high)))


def log_y(axis: Any) -> None:
  """Puts ticks at 1, 2 and 5 times the powers of 10 of a logarithmic y axis, in plain digits."""
  from matplotlib import ticker
  axis.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
  axis.yaxis.set_major_formatter('{x:g}')
  axis.yaxis.set_minor_formatter(ticker.NullFormatter())


def text(value: float) -> str:
  """Returns the text of a tick, for matplotlib: small powers of 2 as powers."""
  power = _power(value)
  return plain(value) if power is None else f'$2^{{{power}}}$'


def plain(value: float) -> str:
  """Returns the letters of a tick: '2-9', '12.5k', '1.28M', else up to 3 digits."""
  power = _power(value)
  if power is not None:
    return f'2{power}'
  for unit, letter in ((1e6, 'M'), (1e3, 'k')):
    if value >= 10 * 1e3 and value >= unit:
      return f'{value / unit:.3g}{letter}'
  return f'{value:.4g}' if value >= 100 else f'{value:.3g}'


def _power(value: float) -> int | None:
  exponent = math.log2(value) if value > 0 else 0.0
  return int(exponent) if exponent == int(exponent) and exponent < -2 else None
