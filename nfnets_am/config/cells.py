"""A cell of a sweep as text, 'multiplicity=4,seed=1': what stands behind the colon of --config."""

from collections.abc import Mapping
from typing import Any

from nfnets_am.core import errors
from nfnets_am.core import registry


def parse_cell(text: str | None, defaults: Mapping[str, Any]) -> dict[str, Any]:
  """Reads a cell of a sweep, 'multiplicity=4,seed=1', as the part of --config after the colon.

  Args:
    text: comma-separated key=value; empty or None is the default cell.
    defaults: the cell's keys; a value is read as its default's type.

  Raises:
    ConfigError: a key that is not in `defaults`, or a value of another type.
  """
  cell = dict(defaults)
  for item in filter(None, (text or '').split(',')):
    key, _, value = item.partition('=')
    if key not in cell:
      raise errors.ConfigError(
          f'the cell has no key {key!r}{registry.did_you_mean(key, cell)}; allowed: '
          f'{registry.listed(key, cell)}')
    try:
      cell[key] = type(defaults[key])(value)
    except ValueError:
      raise errors.ConfigError(
          f'the cell says {item!r}; {key} is of type {type(defaults[key]).__name__}') from None
  return cell


def cell_name(cell: Mapping[str, Any]) -> str:
  """Returns the text of a cell, as it stands behind the colon: 'multiplicity=4,seed=1'."""
  return ','.join(f'{key}={value}' for key, value in cell.items())
