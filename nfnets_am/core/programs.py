"""Functions that JAX compiles, kept by name for those runs of a process that need the same ones.

To trace a step and to read what was compiled of it from a disk takes longer than a small run.
"""

from collections.abc import Callable
from collections.abc import Hashable
from typing import Any


class Programs:
  """One function of each name."""

  def __init__(self):
    self._kept: dict[str, tuple[Hashable, Any]] = {}

  def get(self, name: str, make: Callable[[], Any], *, of: Hashable = None) -> Any:
    """Returns the function of a name, made if there is none.

    Args:
      name: of the function.
      make: returns it, such as `jax.jit(f)`; it must not depend on more than `of`.
      of: what it depends on; one of something else takes the other's place.
    """
    if name not in self._kept or self._kept[name][0] != of:
      self._kept[name] = of, make()
    return self._kept[name][1]
