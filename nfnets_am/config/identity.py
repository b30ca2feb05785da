"""What a run is: its config as JSON, and the name that follows from it."""

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
import functools
import hashlib
import json
from typing import Any

import ml_collections

from nfnets_am.config import schema

# Where a run finds its data and what it writes beside its results: another value is the same run.
MACHINE_KEYS = ('data.cache', 'data.data_dir', 'data.download', 'tensorboard')
# What an update holds, which two of them can say alike.
_ROWS = ('unique', 'views', 'neighbouring')


def flatten(config: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
  """Yields (dotted key, value) for every leaf of a config or of a nested dict, in order."""
  for key in sorted(config):
    value = config[key]
    if isinstance(value, (ml_collections.ConfigDict, Mapping)):
      yield from flatten(value, f'{prefix}{key}.')
    else:
      yield prefix + key, value


def to_json(config: ml_collections.ConfigDict) -> dict[str, Any]:
  """Returns dotted key -> value for every leaf, as JSON keeps values."""
  return json.loads(json.dumps(dict(flatten(config.to_dict()))))


def from_json(flat: Mapping[str, Any]) -> ml_collections.ConfigDict:
  """Returns the config of `to_json`; a section or another key that is missing has its default."""
  config = schema.get_default()
  with config.unlocked():
    for section in {key.split('.')[0] for key in flat} & {'model', 'loss', 'schedule'}:
      config[section] = ml_collections.ConfigDict()
    config.update_from_flattened_dict({
        key: tuple(value) if isinstance(value, list) else value
        for key, value in flat.items() if value is not None})
  return config


def content(flat: Mapping[str, Any]) -> dict[str, Any]:
  """Returns what a run is, as JSON values: dotted key -> value, without MACHINE_KEYS.

  Keys at their default are left out, so that a key which is new in the code changes no run that was
  there before it.
  """
  defaults = _flat_defaults(schema.get_default)
  return {key: value for key, value in flat.items() if key not in MACHINE_KEYS
          and (key not in defaults or value != defaults[key])}


@functools.cache
def _flat_defaults(get_default: Callable[[], ml_collections.ConfigDict]) -> dict[str, Any]:
  """Returns the flat default, made once: a sweep's names ask for it thousands of times."""
  return to_json(get_default())


def difference(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
  """Returns the first key in which a run's config is not the one that is asked for, or ''.

  MACHINE_KEYS may differ, and `unique` and `views` may say the same rows in two ways. A key that
  the stored config lacks is newer than the run, and taken as equal.

  Args:
    stored: dotted key -> JSON value, of config.json.
    expected: the same of the config that is asked for.

  Returns:
    'budget='7 epochs', expected '8 epochs''.
  """
  same_rows = 'multiplicity' not in stored or rows(stored) == rows(expected)
  ignored = {*MACHINE_KEYS, *(_ROWS if same_rows else ())}
  for key in sorted(stored.keys() - ignored):
    if key not in expected:
      return f'{key}={stored[key]!r}, expected none'
    if stored[key] != expected[key]:
      return f'{key}={stored[key]!r}, expected {expected[key]!r}'
  return ''


def rows(flat: Mapping[str, Any]) -> tuple[int, int, bool]:
  """Returns U, B and whether neighbouring updates share their images, of a flat config.

  One view of each image is the same training whether they would be neighbouring or not.
  """
  n = flat['multiplicity']
  unique, views, neighbouring = (flat.get(key, 0) for key in _ROWS)
  copies = 1 if neighbouring else max(1, n)
  if unique:
    return unique, unique * copies, False
  return views // copies, views, bool(neighbouring) and n > 1


def run_name(config: ml_collections.ConfigDict, flat: Mapping[str, Any] | None = None) -> str:
  """Returns the name of a run's folder in a sweep, 'wide_resnet-n4-seed0-1f3a9c0d2b'.

  Two experiments that ask for the same run get the same name, so it is trained once.

  Args:
    config: of the run.
    flat: its `to_json`, where that is known already.
  """
  text = json.dumps(content(flat or to_json(config)), sort_keys=True)
  digest = hashlib.sha256(text.encode()).hexdigest()[:10]
  return f'{config.model.name}-n{config.multiplicity}-seed{config.seed}-{digest}'
