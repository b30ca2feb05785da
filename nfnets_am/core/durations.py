"""Durations: '90 epochs', '2500 updates', '1e6 views' or '5 percent', turned into updates here.

An epoch is a pass over the unique images, whatever the multiplicity (Fort et al. 2021, footnote 3),
so its length in updates is a fraction: CIFAR with 64 unique images has 781.25 updates in an epoch.
"""

import re

from nfnets_am.core import errors

UNITS = ('epochs', 'updates', 'views', 'percent')
_FORM = re.compile(r'\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s+([a-z]+)\s*')


def parse(key: str, text: str) -> tuple[float, str]:
  """Splits a duration into (amount, unit).

  Args:
    key: the config key, for the message.
    text: such as '90 epochs'; the amount is not negative.

  Raises:
    ConfigError: the text has another form or another unit.
  """
  match = _FORM.fullmatch(text) if isinstance(text, str) else None
  try:
    amount, unit = float(match[1]), match[2] if match[2].endswith(('s', 't')) else match[2] + 's'
  except (TypeError, ValueError):
    amount, unit = 0.0, ''
  if unit not in UNITS:
    raise errors.ConfigError(
        f'{key}={text!r} is not a duration; allowed: an amount and one of {", ".join(UNITS)}, '
        "such as '90 epochs'")
  return amount, unit


def to_updates(
    key: str, text: str, *, updates_per_epoch: float, views: int, budget: int | None = None,
) -> float:
  """Turns a duration into updates, not rounded.

  Args:
    key: the config key, for the message.
    text: the duration.
    updates_per_epoch: exact, not rounded: training images / unique images new to an update.
    views: views in one update (B).
    budget: updates of the whole run; what 'percent' is taken of.

  Raises:
    ConfigError: the text is not a duration, or a percentage of a budget stands where there is none.
  """
  amount, unit = parse(key, text)
  if unit == 'percent' and budget is None:
    raise errors.ConfigError(f'{key}={text!r}: the budget itself cannot be a percentage')
  scale = {
      'epochs': updates_per_epoch,
      'updates': 1.0,
      'views': 1.0 / views,
      'percent': (budget or 0) / 100,
  }[unit]
  return amount * scale
