"""What a traced program holds."""

from collections.abc import Iterator
from typing import Any


def equations(jaxpr: Any) -> Iterator[Any]:
  """Yields the equations of a jaxpr and of the programs inside it, each where it is called."""
  for eqn in jaxpr.eqns:
    yield eqn
    for inner in eqn.params.values():
      inner = getattr(inner, 'jaxpr', inner)
      if hasattr(inner, 'eqns'):
        yield from equations(inner)
