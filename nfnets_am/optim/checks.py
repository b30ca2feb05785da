"""Numbers that a config gives, refused in one sentence where they make no sense."""

from collections.abc import Callable
import math
import numbers
from typing import Any

from nfnets_am.core import errors

# What a sentence allows -> whether a finite number is that.
_ALLOWED: dict[str, Callable[[float], bool]] = {
    'a number of at least 0': lambda x: x >= 0,
    'a number over 0': lambda x: x > 0,
    'a number': lambda x: True,
    '0 to 1': lambda x: 0 <= x <= 1,
    '0 to less than 1': lambda x: 0 <= x < 1,
    'more than 0 to 1': lambda x: 0 < x <= 1,
}


def number(found: str, value: Any, allowed: str) -> None:
  """Refuses what is not the number that is allowed; NaN and the infinities never are.

  Args:
    found: start of the sentence: key and value, such as 'optimizer.momentum=1.5'.
    value: of the key.
    allowed: one of the sentences above.

  Raises:
    ConfigError: '`found`; allowed: `allowed`'.
  """
  # True is the number 1 to Python, and a slip in a config.
  is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
  if not (is_number and math.isfinite(value) and _ALLOWED[allowed](value)):
    raise errors.ConfigError(f'{found}; allowed: {allowed}')
