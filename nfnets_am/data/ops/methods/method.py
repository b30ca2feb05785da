"""What a mixing method is: draws first, pixels later.

Two images become one row: the row's own, which the papers call x1, and its partner, x2. The draws
of many rows are small arrays made by numpy, one of them the weight of the row's own label. Pixels
follow from the draws alone, and on bytes by integer arithmetic alone, so that every array
namespace gives the same ones.
"""

from collections.abc import Mapping
import dataclasses
import math
from typing import Any
from typing import ClassVar

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops.methods import blending


class Method:
  """Draws and pixels of a method. Subclasses are frozen dataclasses; fields are its arguments.

  Attributes:
    name: how the config spells the method; its errors say it.
    blocks: how many blocks of four random words a row takes.
    floats: whether the method works on normalised float32 images only.
  """
  name: ClassVar[str]
  blocks: ClassVar[int] = 1
  floats: ClassVar[bool] = False

  def check(self, height: int, width: int) -> None:
    """Raises errors.ConfigError if the method cannot mix images of this size."""

  def draw(self, words: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    """Turns random words into what the method applies.

    Args:
      words: uint32 [4 * blocks, R], independent and uniform for each of R rows.
      height: H of the images.
      width: W of the images.

    Returns:
      'weight', float32 [R] in [0, 1], the share of the row's own label; other names to int32 [R].
    """
    raise NotImplementedError

  def apply(self, xp: arrays.Namespace, own: Any, partner: Any, draws: Mapping[str, Any]) -> Any:
    """Mixes rows with their partners.

    Args:
      xp: the namespace of the arrays.
      own: uint8 or float32 [R, H, W, C]; R may be unknown on the host.
      partner: like `own`.
      draws: what `draw` returned, arrays of the namespace.

    Returns:
      Like `own`. uint8 is rounded to nearest; float32 is float arithmetic, whose last bit may
      differ between namespaces.
    """
    raise NotImplementedError

  def refuse(self, key: str, allowed: str) -> None:
    """Raises errors.ConfigError about an argument."""
    raise errors.ConfigError(f'{self.name} has {key}={getattr(self, key)!r}; allowed: {allowed}')

  def check_number(self, key: str, to: float = math.inf, zero: bool = False) -> None:
    """Raises errors.ConfigError unless an argument is finite and in (0, to], or 0 where it may."""
    value = getattr(self, key)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not (0 < value <= to or zero and value == 0) or math.isinf(value):
      self.refuse(key, ('numbers from 0' if zero else 'numbers above 0')
                  + (f' up to {to}' if to < math.inf else ''))

  def check_choice(self, key: str, choices: tuple[str, ...]) -> None:
    """Raises errors.ConfigError unless an argument is one of several names."""
    if getattr(self, key) not in choices:
      self.refuse(key, ', '.join(map(repr, choices)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beta(Method):
  """A method that draws coefficients lambda from a Beta distribution.

  Attributes:
    alpha: lambda is drawn from Beta(alpha, alpha); 1 makes it uniform, as in all experiments of
      Summers 2021 chapter 2.
  """
  alpha: float = 1.0

  def __post_init__(self):
    self.check_number('alpha')


class Masked(Method):
  """A method whose every element is that of one of the two images."""

  def owned(self, xp: arrays.Namespace, draws: Mapping[str, Any],
            shape: tuple[int, int, int]) -> Any:
    """Returns where the row's own image shows: bool [R, H or 1, W C or 1].

    Args:
      xp: the namespace.
      draws: what `draw` returned.
      shape: (H, W, C).
    """
    raise NotImplementedError

  def apply(self, xp, own, partner, draws):
    return blending.choose(xp, own, partner, self.owned(xp, draws, tuple(own.shape[1:])))
