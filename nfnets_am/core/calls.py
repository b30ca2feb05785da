"""Reads 'a(x=1) | b(2)' into names and keyword arguments, with Python's own parser."""

import ast
from collections.abc import Callable
from collections.abc import Iterable
from typing import Any
from typing import NamedTuple

from nfnets_am.core import errors


class Language(NamedTuple):
  """What a text is called in errors.

  Attributes:
    what: the whole text ('augmentation').
    item: one call of it, with its article ('an op').
    example: a text that is right.
  """

  what: str
  item: str
  example: str


_AUGMENTATION = Language('augmentation', 'an op', 'pad_crop(pad=4) | flip() | normalise()')


def calls(text: str, language: Language = _AUGMENTATION,
          keys_of: Callable[[str], Iterable[str]] | None = None
          ) -> list[tuple[str, dict[str, Any]]]:
  """Returns (name, keyword arguments) of every call in `text`, left to right.

  Args:
    text: calls joined by `|`.
    language: for the errors.
    keys_of: name -> its keys in order, so that f(4) may stand for f(x=4); without it arguments need
      their names.

  Raises:
    errors.ConfigError: anything but calls by name with literal arguments, joined by `|`.
  """
  try:
    # One line, so that a config may break the text where it likes.
    node = ast.parse(' '.join(text.split()), mode='eval').body
  except (AttributeError, SyntaxError, ValueError) as e:
    raise _error(text, language, getattr(e, 'msg', None) or e) from e
  nodes = []
  while isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
    nodes.append(node.right)
    node = node.left
  return [_call(text, language, keys_of, n) for n in [node, *reversed(nodes)]]


def one(text: str, language: Language, keys_of: Callable[[str], Iterable[str]] | None = None
        ) -> tuple[str, dict[str, Any]]:
  """Returns the name and the keyword arguments of the one call that `text` is; as `calls`.

  Raises:
    errors.ConfigError: also of several calls.
  """
  found = calls(text, language, keys_of)
  if len(found) != 1:
    raise errors.ConfigError(
        f'the {language.what} {text!r} is {len(found)} calls; allowed: one, such as '
        f'{language.example!r}')
  return found[0]


def _call(text: str, language: Language, keys_of: Callable[[str], Iterable[str]] | None,
          node: ast.expr) -> tuple[str, dict[str, Any]]:
  part = ast.unparse(node)
  if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
    hint = f'; write {part}()' if isinstance(node, ast.Name) else ''
    raise _error(text, language, f'{part!r} is not the call of {language.item}{hint}')
  kwargs = {k.arg: k.value for k in node.keywords}
  keys = tuple(keys_of(node.func.id)) if keys_of and node.args else ()
  first = dict(zip(keys, node.args, strict=False))
  if len(first) < len(node.args) or None in kwargs or first.keys() & kwargs.keys():
    raise _error(text, language, f'the arguments of {part!r} need their names, as in f(x=4)')
  try:
    return node.func.id, {
        key: ast.literal_eval(value) for key, value in (first | kwargs).items()}
  except ValueError as e:
    raise _error(text, language, f'the arguments of {part!r} are not all literal values') from e


def _error(text: Any, language: Language, why: Any) -> errors.ConfigError:
  return errors.ConfigError(
      f'the {language.what} {text!r} cannot be read: {why}; '
      f'allowed: calls joined by |, such as {language.example!r}')
