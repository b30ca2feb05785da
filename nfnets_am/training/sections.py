"""The sections of a config: registries, whose entries' arguments are the section's keys.

An experiment says what it sets. `complete` gives the rest its default and refuses what the named
entry does not take, so that every key can be shown, overridden and compared.
"""

from collections.abc import Mapping
import functools
from typing import Any

import ml_collections

from nfnets_am import evaluation
from nfnets_am import models
from nfnets_am import objectives
from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.config import values
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import inputs
from nfnets_am.data import orders
from nfnets_am.optim import ascents
from nfnets_am.optim import clips
from nfnets_am.optim import optimizers
from nfnets_am.optim import schedules
from nfnets_am.training import starts

SECTIONS = {
    'data': inputs.INPUTS,
    'order': orders.ORDERS,
    'model': models.MODELS,
    'start': starts.STARTS,
    'objective': objectives.OBJECTIVES,
    'ascent': ascents.ASCENTS,
    'clip': clips.CLIPS,
    'optimizer': optimizers.OPTIMIZERS,
    'schedule': schedules.SCHEDULES,
}

# Keys that every entry of a section has beside its own.
_COMMON = {'schedule': {'peak': 0.1}}


def keys_of(section: str, name: str) -> dict[str, Any]:
  """Returns the keys of a section's entry with their defaults; of an evaluation, too.

  Args:
    section: 'model', or 'evals.test'.
    name: of the entry.

  Raises:
    ConfigError: the registry has no such entry.
  """
  if section.startswith('evals.'):
    return evaluation.COMMON | evaluation.EVALUATIONS.keys_of(name)
  return _COMMON.get(section, {}) | SECTIONS[section].keys_of(name)


def complete(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
  """Gives the sections of a config the keys of the entries that they name; returns the config.

  Raises:
    ConfigError: a section names no entry, has a key that its entry does not take, lacks one, or a
      value is of another type than the default.
  """
  config.evals.unlock()
  for section, part in _parts(config):
    if not isinstance(part, ml_collections.ConfigDict) or 'name' not in part:
      raise errors.ConfigError(
          f'{section} names no entry; allowed: a section with the key name, one of '
          f'{registry.listed("", _registry(section))}')
    # A sweep has thousands of configs, and a dict is read faster than one of them.
    said = dict(part.items())
    name = said.pop('name')
    keys = keys_of(section, name)
    for key, value in said.items():
      if key not in keys:
        raise errors.ConfigError(f'{section}.{key}={value!r}: {_lacks(section, name, key)}')
    part.unlock()
    for key, default in keys.items():
      if key not in said:
        if default is registry.REQUIRED:
          raise errors.ConfigError(
              f'{section}.{key} is missing; the {_registry(section).what} {name!r} needs it')
        part[key] = default
      elif type(said[key]) is not type(default):
        value = values.fitting(f'{section}.{key}', _like(section, name, key), said[key])
        if type(value) is not type(said[key]):
          with part.ignore_type():
            part[key] = value
  return config


def defaults(config: ml_collections.ConfigDict) -> dict[str, Any]:
  """Returns dotted key -> default, as JSON values, of all keys of a complete config."""
  found = dict(_plain_defaults())
  for section, part in _parts(config):
    found |= _section_defaults(section, part['name'])
  return found


@functools.cache
def _plain_defaults() -> dict[str, Any]:
  return identity.to_json(schema.get_default())


@functools.cache
def _section_defaults(section: str, name: str) -> dict[str, Any]:
  return {f'{section}.{key}': identity.as_json(value)
          for key, value in keys_of(section, name).items() if value is not registry.REQUIRED}


def run_name(config: ml_collections.ConfigDict) -> str:
  """Returns the name of a run's folder; see identity.run_name."""
  return identity.run_name(identity.to_json(config), defaults(config))


def from_json(flat: Mapping[str, Any]) -> ml_collections.ConfigDict:
  """Returns the complete config of identity.to_json; a key that is missing has its default.

  Raises:
    ConfigError: a section is not one of this code.
  """
  config = schema.get_default()
  if any(key.startswith('evals.') for key in flat):
    config.evals = ml_collections.ConfigDict()
  for key, value in flat.items():
    if value is not None and key not in identity.FORMER:
      _set(config, key, tuple(value) if isinstance(value, list) else value)
  return complete(config)


def override(config: ml_collections.ConfigDict, changes: Mapping[str, Any]
             ) -> ml_collections.ConfigDict:
  """Changes keys of a config, and returns it complete.

  Args:
    config: of an experiment.
    changes: dotted key -> value; a text is read as the type of its key's default. A section whose
      `name` changes keeps the keys that the new entry has, too.

  Raises:
    ConfigError: a key that the config does not have, or a value that does not fit it.
  """
  for key, value in changes.items():
    section, _, last = key.rpartition('.')
    if last == 'name' and (section in SECTIONS or section.startswith('evals.')):
      _rename(config, section, value)
  # Those first without which a section is not complete.
  required = [key for key in changes if _is_required(config, key)]
  if required:
    with config.unlocked():
      for key in required:
        _change(config, key, changes[key])
  complete(config)
  for key, value in changes.items():
    check_key(config, key)
    if key.rpartition('.')[2] != 'name' and key not in required:
      _change(config, key, value)
  return config


def check_key(config: ml_collections.ConfigDict, key: str) -> None:
  """Raises ConfigError if a complete config has no leaf with this dotted name."""
  keys = dict(identity.flatten(config))
  if key in keys:
    return
  section, _, last = key.rpartition('.')
  what = f'the config has no key {key!r}'
  if key in identity.FORMER:
    raise errors.ConfigError(f'{what} any more; allowed: {identity.FORMER[key]}')
  if section in dict(_parts(config)):
    raise errors.ConfigError(f'{what}: {_lacks(section, _get(config, section).name, last)}')
  if section.startswith('evals.'):
    raise errors.ConfigError(
        f'{what}, since evals has no {section[6:]!r}; allowed: one of '
        f'{registry.listed(section[6:], config.evals)}, or {section}.name=accuracy with it')
  # The same key of another section, or the name of what was taken for a key, is what is meant.
  meant = [k for k in keys if k.rpartition('.')[2] == last or k == f'{key}.name']
  hint = f' (did you mean {meant[0]!r}?)' if meant else registry.did_you_mean(key, keys)
  near = [k for k in keys if k.rpartition('.')[0] == section]
  where = f' in {section}' if section and near else ''
  allowed = near or {k.partition('.')[0]: k for k in keys if '.' in k}
  raise errors.ConfigError(
      f'{what}{hint}; allowed{where if near else " sections"}: {registry.listed(key, allowed)}')


def _lacks(section: str, name: str, key: str) -> str:
  keys = keys_of(section, name)
  return (f'the {_registry(section).what} {name!r} has no key {key!r}'
          f'{registry.did_you_mean(key, keys)}; allowed: {registry.listed(key, keys)}')


def _parts(config: ml_collections.ConfigDict) -> list[tuple[str, Any]]:
  return [*((name, config[name]) for name in SECTIONS),
          *((f'evals.{name}', part) for name, part in config.evals.items())]


def _registry(section: str) -> registry.Registry:
  return evaluation.EVALUATIONS if section.startswith('evals.') else SECTIONS[section]


def _rename(config: ml_collections.ConfigDict, section: str, name: str) -> None:
  """Lets a section name another entry; what both take stays as it is."""
  keys = keys_of(section, name)
  parent, _, last = section.rpartition('.')
  holder = _get(config, parent)
  old = holder.get(last, ml_collections.ConfigDict())
  with config.unlocked():
    holder[last] = ml_collections.ConfigDict(
        {'name': name, **{key: value for key, value in old.items() if key in keys}})


def _is_required(config: ml_collections.ConfigDict, dotted: str) -> bool:
  section, _, key = dotted.rpartition('.')
  if section not in dict(_parts(config)) or 'name' not in _get(config, section):
    return False
  return keys_of(section, _get(config, section).name).get(key) is registry.REQUIRED


def _change(config: ml_collections.ConfigDict, dotted: str, value: Any) -> None:
  """Sets a key that the config has; a text is read as the type of the key."""
  section, _, key = dotted.rpartition('.')
  if section in dict(_parts(config)):
    name = _get(config, section).name
    default, like = keys_of(section, name)[key], _like(section, name, key)
  else:
    default = _get(schema.get_default(), section)[key]
    like = 0 if default is None else default  # What may be unset is a seed.
  if default is None and value in (None, 'None'):
    _set(config, dotted, None)
    return
  if isinstance(value, str):
    value = values.read_as(dotted, like, value)
  _set(config, dotted, values.fitting(dotted, like, value))


def _like(section: str, name: str, key: str) -> Any:
  """Returns a value of the type of a section's key: its default, if there is one."""
  default = keys_of(section, name)[key]
  if default is registry.REQUIRED or default is None:
    return _registry(section).like(name, key)
  return default


def _get(config: ml_collections.ConfigDict, dotted: str) -> Any:
  for key in filter(None, dotted.split('.')):
    config = config[key]
  return config


def _set(config: ml_collections.ConfigDict, dotted: str, value: Any) -> None:
  *sections, last = dotted.split('.')
  for key in sections:
    if key not in config:
      try:
        config[key] = ml_collections.ConfigDict()
      except KeyError:
        raise errors.ConfigError(f'the config has no section {key!r} for {dotted!r}') from None
    config = config[key]
  try:
    # Of another type than the default's are durations in the place of numbers, and what is unset.
    with config.ignore_type():
      config[last] = value
  except (KeyError, AttributeError):
    raise errors.ConfigError(f'the config has no key {dotted!r}') from None
