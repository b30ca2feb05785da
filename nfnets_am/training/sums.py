"""Metrics of updates, gathered until a line of them is written."""

from collections.abc import Mapping
from typing import Any

from nfnets_am.core import quantities


class Sums:
  """What the updates since the last line have given; most are averaged, some are the last one's."""

  def __init__(self, state: Mapping[str, Any] | None = None):
    """Begins empty, or as `state` was."""
    self._sums: dict[str, Any] = dict(state or {})

  def add(self, values: Mapping[str, float]) -> None:
    """Adds the metrics of one update."""
    self._sums['updates'] = self._sums.get('updates', 0) + 1
    for key, value in values.items():
      if quantities.of(key).over_updates == 'last':
        self._sums[key] = value
      else:
        self._sums[key] = self._sums.get(key, 0.0) + value

  def means(self) -> dict[str, float]:
    """Returns the metrics of a line, in the order of the table of quantities."""
    updates = self._sums['updates']
    return {
        key: self._sums[key] / (1 if quantities.of(key).over_updates == 'last' else updates)
        for key in quantities.in_order(self._sums.keys() - {'updates'})}

  def state(self) -> dict[str, Any]:
    """Returns JSON values from which the sums go on, bit for bit; later updates change none."""
    # A checkpoint is written while the next updates add to the sums.
    return dict(self._sums)
