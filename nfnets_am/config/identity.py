"""What a run is: its config as JSON, and the name that follows from it."""

from collections.abc import Iterator
from collections.abc import Mapping
import hashlib
import json
import math
from typing import Any

import ml_collections

# Where a run finds its data and what it writes beside its results: another value is the same run.
MACHINE_KEYS = ('data.cache', 'data.data_dir', 'data.download', 'sinks')
# Keys of the same kind that older runs' config.json have: what says the same now.
FORMER = {'tensorboard': "sinks=('tensorboard',)"}
# What an update holds, which two of them can say alike.
_ROWS = ('unique', 'views', 'neighbouring')
# Types whose values JSON keeps as they are.
_PLAIN = (str, int, float, bool, type(None))


def flatten(config: Mapping[str, Any], prefix: str = '') -> Iterator[tuple[str, Any]]:
  """Yields (dotted key, value) for every leaf of a config or of a nested dict, in order."""
  # As they are kept: a ConfigDict takes as long again to look behind each of its values.
  kept = {'preserve_field_references': True} if isinstance(
      config, ml_collections.ConfigDict) else {}
  for key, value in sorted(config.items(**kept)):
    if type(value) in _PLAIN:
      yield prefix + key, value
      continue
    if isinstance(value, ml_collections.FieldReference):
      value = value.get()
    if isinstance(value, (ml_collections.ConfigDict, Mapping)):
      yield from flatten(value, f'{prefix}{key}.')
    else:
      yield prefix + key, value


def to_json(config: ml_collections.ConfigDict) -> dict[str, Any]:
  """Returns dotted key -> value for every leaf, as JSON keeps values."""
  return {key: as_json(value) for key, value in flatten(config)}


def as_json(value: Any) -> Any:
  """Returns a value as JSON keeps it: lists for tuples, and the text 'inf' for infinity."""
  if type(value) is float:
    return value if math.isfinite(value) else str(value)
  if type(value) in _PLAIN:
    return value
  if isinstance(value, (list, tuple)):
    return [as_json(one) for one in value]
  return json.loads(json.dumps(value))


def rows(flat: Mapping[str, Any]) -> tuple[int, int, bool]:
  """Returns (U, B, whether neighbouring): the rows of an update, however the config says them.

  `unique=64` and `views=64` are the same training at n = 1, and so are `unique=64` and `views=1024`
  at n = 16, and neighbouring updates with one view.

  Args:
    flat: dotted key -> value; `neighbouring` may be missing.
  """
  n = max(flat['multiplicity'], 1)
  neighbouring = bool(flat.get('neighbouring')) and n > 1
  copies = 1 if neighbouring else n
  unique = flat.get('unique') or flat.get('views', 0) // copies
  return unique, unique * copies, neighbouring


def content(flat: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
  """Returns what a run is, as JSON values: dotted key -> value, without MACHINE_KEYS.

  Keys at their default are left out, so that a key which is new in the code changes no run that was
  there before it. The rows of an update are said in one way.

  Args:
    flat: dotted key -> JSON value of a complete config.
    defaults: the same of its keys' defaults, see training/sections.py.
  """
  found = {key: value for key, value in flat.items()
           if key not in MACHINE_KEYS and (key not in defaults or value != defaults[key])}
  unique, _, neighbouring = rows(flat)
  return {key: value for key, value in found.items() if key not in _ROWS} | {
      'multiplicity': flat['multiplicity'], 'unique': unique, 'neighbouring': neighbouring}


def free_keys(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> set[str]:
  """Returns the keys in which two flat configs may differ and still be the same run."""
  same_rows = 'multiplicity' not in stored or rows(stored) == rows(expected)
  return {*MACHINE_KEYS, *FORMER, *(_ROWS if same_rows else ())}


def difference(stored: Mapping[str, Any], expected: Mapping[str, Any]) -> str:
  """Returns the first key in which a run's config is not the one that is asked for, or ''.

  MACHINE_KEYS and FORMER ones may differ, and `unique` and `views` may say the same rows in two
  ways. A key that the stored config lacks is newer than the run, and taken as equal.

  Args:
    stored: dotted key -> JSON value, of config.json.
    expected: the same of the config that is asked for.

  Returns:
    'budget='7 epochs', expected '8 epochs''.
  """
  ignored = free_keys(stored, expected)
  for key in sorted(stored.keys() - ignored):
    if key not in expected:
      return f'{key}={stored[key]!r}, expected none'
    if as_json(stored[key]) != expected[key]:
      return f'{key}={stored[key]!r}, expected {expected[key]!r}'
  return ''


def run_name(flat: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
  """Returns the name of a run's folder in a sweep, 'wide_resnet-n4-seed0-1f3a9c0d2b'.

  Two experiments that ask for the same run get the same name, so it is trained once. Arguments as
  of `content`.
  """
  text = json.dumps(content(flat, defaults), sort_keys=True)
  digest = hashlib.sha256(text.encode()).hexdigest()[:10]
  return f'{flat["model.name"]}-n{flat["multiplicity"]}-seed{flat["seed"]}-{digest}'
