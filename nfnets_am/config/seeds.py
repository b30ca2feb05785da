"""Seeds are data, not state: what each source of randomness is seeded with, in each pass."""

import dataclasses
from typing import Any

from nfnets_am.config import schema


@dataclasses.dataclass(frozen=True)
class Seeds:
  """The seeds of a run; every random choice is a function of one of them and of where it is made.

  Attributes:
    init: of the first weights.
    shuffle: of the order of the examples.
    augment: of the views.
    noise: of dropout and the like.
    attack: of where attacks on images start, and of their random directions.
    again: source -> the seed that it takes from pass `again_from` on; see config.reseed.
    again_from: number of a pass, from 0.
  """

  init: int = 0
  shuffle: int = 0
  augment: int = 0
  noise: int = 0
  attack: int = 0
  again: tuple[tuple[str, int], ...] = ()
  again_from: int = 0

  def at(self, source: str, epoch: int) -> int:
    """Returns the seed of a source in a pass over the data."""
    if epoch >= self.again_from:
      return dict(self.again).get(source, getattr(self, source))
    return getattr(self, source)


def of(config: Any) -> Seeds:
  """Returns the seeds of a config: those that are not set take `seed`."""
  return Seeds(
      **{name: config.seed if config.seeds[name] is None else config.seeds[name]
         for name in schema.SEEDS},
      again=tuple((name, config.reseed[name]) for name in schema.SEEDS
                  if name != 'init' and config.reseed[name] is not None),
      again_from=config.reseed.epoch)
