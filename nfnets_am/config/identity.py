"""What a run is: its config as JSON, and the name that follows from it."""

from collections.abc import Iterator
from collections.abc import Mapping
import hashlib
import json
from typing import Any

import ml_collections

from nfnets_am.config import schema

# Where a run finds its data and what it writes beside its results: another value is the same run.
MACHINE_KEYS = ('data.cache', 'data.data_dir', 'data.download', 'tensorboard')


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
  return json.loads(json.dumps(dict(flatten(config))))


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


def content(config: ml_collections.ConfigDict) -> dict[str, Any]:
  """Returns what a run is, as JSON values: dotted key -> value, without MACHINE_KEYS.

  Keys at their default are left out, so that a key which is new in the code changes no run that was
  there before it.
  """
  defaults = to_json(schema.get_default())
  return {key: value for key, value in to_json(config).items() if key not in MACHINE_KEYS
          and (key not in defaults or value != defaults[key])}


def run_name(config: ml_collections.ConfigDict) -> str:
  """Returns the name of a run's folder in a sweep, 'wide_resnet-n4-seed0-1f3a9c0d2b'.

  Two experiments that ask for the same run get the same name, so it is trained once.
  """
  text = json.dumps(content(config), sort_keys=True)
  digest = hashlib.sha256(text.encode()).hexdigest()[:10]
  return f'{config.model.name}-n{config.multiplicity}-seed{config.seed}-{digest}'
