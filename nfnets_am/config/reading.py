"""Reading a config."""

from typing import Any

import ml_collections

from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.core import errors


class ReadConfig:
  """A read-only view of a config that remembers which keys were read.

  Everything that a run is built from takes its values through this view. When the run is built,
  `refuse_unread` names the keys that somebody set and nothing looked at.
  """

  def __init__(
      self, config: ml_collections.ConfigDict, _prefix: str = '', _read: set | None = None):
    self._config = config
    self._prefix = _prefix
    self._read = set() if _read is None else _read

  def __getattr__(self, key: str) -> Any:
    if key.startswith('_'):
      raise AttributeError(key)
    value = self._config[key]
    if isinstance(value, ml_collections.ConfigDict):
      return ReadConfig(value, f'{self._prefix}{key}.', self._read)
    self._read.add(self._prefix + key)
    return value

  def kwargs(self) -> dict[str, Any]:
    """Returns this section as keyword arguments; all its keys count as read."""
    return {key: getattr(self, key) for key in self._config}

  def refuse_unread(self) -> None:
    """Raises ConfigError for a key that differs from its default and that nothing has read."""
    defaults = dict(identity.flatten(schema.get_default()))
    for key, value in identity.flatten(self._config):
      if key not in self._read and (key not in defaults or value != defaults[key]):
        raise errors.ConfigError(
            f'{key}={value!r} is set, but nothing reads it in this config; take it out, or turn on '
            'what it belongs to')


def seeds(config: ml_collections.ConfigDict) -> dict[str, int]:
  """Returns the four seeds: init, shuffle, augment, noise; those not set take `seed`."""
  return {name: config.seed if value is None else value
          for name, value in config.seeds.kwargs().items()}
