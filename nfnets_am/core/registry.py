"""Names to things: every model, data set, op and schedule is one line in a registry."""

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
import difflib
import functools
import inspect
import typing
from typing import Any

from nfnets_am.core import errors

# Stands for the default of an argument that has none.
REQUIRED = inspect.Parameter.empty
# Letters of a list that a sentence has in full, and how many names it has of a longer one.
_LIST = 220
_NEAREST = 5


class Registry(Mapping):
  """A read-only table of named factories that explains itself when a name is not in it.

  Args:
    what: what the table holds, as errors call it ('model').
    entries: name -> factory.
  """

  def __init__(self, what: str, entries: Mapping[str, Callable[..., Any]]):
    self.what = what
    self._entries = dict(entries)

  def __getitem__(self, name: str) -> Callable[..., Any]:
    if name not in self._entries:
      raise errors.ConfigError(
          f'unknown {self.what} {name!r}{did_you_mean(name, self)}; allowed: {listed(name, self)}')
    return self._entries[name]

  def __contains__(self, name: object) -> bool:
    return name in self._entries

  def __iter__(self):
    return iter(sorted(self._entries))

  def __len__(self) -> int:
    return len(self._entries)

  def make(self, name: str, *args: Any, **kwargs: Any) -> Any:
    """Calls the factory `name`; an argument that it does not take is a ConfigError."""
    factory = self[name]
    check_kwargs(f'{self.what} {name!r}', factory, kwargs)
    return factory(*args, **kwargs)

  def build(self, section: Any, *args: Any) -> Any:
    """Calls the factory that a config's section names, with the section's other keys."""
    keys = section.to_dict()
    return self.make(keys.pop('name'), *args, **keys)

  def keys_of(self, name: str) -> dict[str, Any]:
    """Returns an entry's keyword-only arguments with their defaults, or REQUIRED."""
    return keywords(self[name])

  def like(self, name: str, key: str) -> Any:
    """Returns a value of an argument's type: its default, else 0.0, '' and so on as annotated.

    Of `float | None` it is 0.0.
    """
    parameter = inspect.signature(self[name]).parameters[key]
    if parameter.default is not REQUIRED and parameter.default is not None:
      return parameter.default
    kinds = typing.get_args(parameter.annotation) or (parameter.annotation,)
    return next(kind for kind in kinds if kind is not type(None))()


def did_you_mean(name: str, allowed) -> str:
  """Returns ' (did you mean X?)' when something close to `name` is allowed, else ''."""
  close = difflib.get_close_matches(str(name), [str(a) for a in allowed], n=1)
  return f' (did you mean {close[0]!r}?)' if close else ''


def listed(name: str, allowed: Iterable[Any]) -> str:
  """Returns what is allowed in place of `name`: 'a, b', 'none', or of many the nearest."""
  names = [str(a) for a in allowed]
  text = ', '.join(names) or 'none'
  if len(text) <= _LIST:
    return text
  near = difflib.get_close_matches(str(name), names, n=_NEAREST, cutoff=0)
  return f'{", ".join(near)} and {len(names) - len(near)} others'


@functools.cache
def _keywords(fn: Callable[..., Any]) -> tuple[tuple[str, Any], ...]:
  return tuple((key, parameter.default) for key, parameter in
               inspect.signature(fn).parameters.items() if parameter.kind == parameter.KEYWORD_ONLY)


def keywords(fn: Callable[..., Any]) -> dict[str, Any]:
  """Returns the keyword-only arguments of a function with their defaults, or REQUIRED."""
  return dict(_keywords(fn))


def check_kwargs(what: str, fn: Callable[..., Any], kwargs: Mapping[str, Any]) -> None:
  """Raises ConfigError if `fn` has no keyword-only argument for one of `kwargs`, or misses one."""
  known = keywords(fn)
  for key in kwargs:
    if key not in known:
      raise errors.ConfigError(
          f'{what} has no key {key!r}{did_you_mean(key, known)}; '
          f'allowed: {listed(key, known)}')
  for key, default in known.items():
    if default is REQUIRED and key not in kwargs:
      raise errors.ConfigError(f'{what} needs the key {key!r}')
