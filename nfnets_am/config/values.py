"""Values of keys: texts of a command line and of JSON, as the type of the key's default."""

import ast
import re
from typing import Any

from nfnets_am.core import durations
from nfnets_am.core import errors

# Sections whose numbers may be said as durations, '5 epochs'.
_DURATIONS = ('schedule', 'optimizer')


def read_as(key: str, default: Any, text: str) -> Any:
  """Reads a text of the command line as the type of a default.

  Raises:
    ConfigError: it is not of that type.
  """
  if isinstance(default, str) or _is_duration(key, default, text):
    return text
  try:
    if isinstance(default, float):
      return float(text)
    return ast.literal_eval({'true': 'True', 'false': 'False'}.get(text, text))
  except (SyntaxError, ValueError):
    raise errors.ConfigError(f'{key}={text!r}; allowed: {_kind(default)}') from None


def fitting(key: str, default: Any, value: Any) -> Any:
  """Returns a value as the type of its default.

  Raises:
    ConfigError: it is none, and no duration where one may stand.
  """
  if type(value) is type(default) or _is_duration(key, default, value):
    return value
  if isinstance(default, float) and (type(value) is int or value in ('inf', '-inf')):
    return float(value)  # The latter as JSON keeps it, see identity.as_json.
  if isinstance(default, tuple) and isinstance(value, list):
    return tuple(value)
  raise errors.ConfigError(f'{key}={value!r}; allowed: {_kind(default)}')


def _is_duration(key: str, default: Any, value: Any) -> bool:
  if key.partition('.')[0] not in _DURATIONS or type(default) not in (int, float):
    return False
  if not (isinstance(value, str) and re.match(r'[0-9.]+ *[a-df-z]|[0-9.e+-]+ +[a-z]', value)):
    return False
  durations.parse(key, value)
  return True


def _kind(default: Any) -> str:
  return {bool: 'True or False', int: 'a whole number', float: 'a number', str: 'a text',
          tuple: 'a tuple, such as (1, 2)'}[type(default)]
