"""The order of images that are read from shards: seeded, known in advance, the same for all hosts.

A pass goes through the shards in a seeded order, from a seeded place on, and is cut into L equal
lanes. A lane is read in blocks; each block is shuffled. An update takes the same number of images
from the next places of every lane, and hosts share the lanes out. So the order is a function of
the seed and of the shards' lengths alone, and any update is reached by reading one block.
"""

from collections.abc import Iterator
import dataclasses
import functools
from typing import NamedTuple
import zlib

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws
from nfnets_am.data import views


class Block(NamedTuple):
  """A part of a lane that is read together.

  Attributes:
    segments: int64 [k, 3]: shard, first record and number of records, read in this order.
    order: int32 [w']: which of these records come, in the order in which updates take them.
  """
  segments: np.ndarray
  order: np.ndarray


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamPlan(views.ViewPlan):
  """A ViewPlan whose order suits reading from shards.

  Attributes:
    lengths: records in each shard; `examples` is their sum.
    lanes: L; it divides `unique`, and `hosts` divides it. Other lanes are another order.
    window: images that are shuffled among each other, over all lanes.
    bad: images that are never shown, ascending; `examples` does not count them.
  """
  lengths: tuple[int, ...]
  lanes: int
  window: int
  bad: tuple[int, ...] = ()

  def __post_init__(self):
    super().__post_init__()
    if self.examples != sum(self.lengths) - len(self.bad):
      raise errors.ConfigError(
          f'the plan is for {self.examples} images, but the shards hold {sum(self.lengths)}, '
          f'{len(self.bad)} of them bad')
    if self.lanes < 1 or self.unique % self.lanes or self.lanes % self.reading_hosts:
      raise errors.ConfigError(
          f'data.lanes={self.lanes} with {self.unique} unique images per update and '
          f'{self.reading_hosts} hosts that read different images; allowed: divisors of the former '
          'that the latter divide')
    if self.window < 1:
      raise errors.ConfigError(f'data.window={self.window}; allowed: 1 or more images')

  @property
  def block(self) -> int:
    """Records of a lane's block (the last of a pass may be shorter)."""
    return max(self.window // self.lanes, 1)

  @property
  def per_lane(self) -> int:
    """Images that an update takes from each lane."""
    return self.unique // self.lanes

  @property
  def host_lanes(self) -> range:
    """The lanes that this host reads."""
    share = self.lanes // self.reading_hosts
    return range(self.first // self.per_lane, self.first // self.per_lane + share)

  @property
  def groups(self) -> range:
    """Images are mixed within a lane: a host has its own lanes' images alone."""
    return self.host_lanes

  @functools.cached_property
  def together(self) -> tuple[views.ViewPlan, np.ndarray]:
    """This host's part by itself, see `groups`."""
    return self, np.arange(self.rows, dtype=np.int32)

  def order(self, epoch: int) -> np.ndarray:
    """As ViewPlan.order; what the last incomplete update leaves out is not in it."""
    _, shuffled = self._lanes(epoch)
    return shuffled.reshape(self.lanes, -1, self.per_lane).swapaxes(0, 1).reshape(-1)

  def before(self, epoch: int) -> np.ndarray:
    """As ViewPlan.before: no image comes twice in a pass."""
    return np.zeros(self.examples // self.unique * self.unique, np.int32)

  def blocks(self, lane: int, update: int, stop: int) -> Iterator[Block]:
    """Yields the Blocks of one lane that hold the images of updates `update` .. stop - 1.

    Neighbouring updates that show the same images count as one visit.
    """
    visits = self.updates_per_pass // (self.examples // self.unique)
    first, last = update // visits, -(-stop // visits)
    steps = self.examples // self.unique
    for epoch in range(first // steps, -(-last // steps)):
      start = max(first - epoch * steps, 0) * self.per_lane
      end = min(last - epoch * steps, steps) * self.per_lane
      sequence, shuffled = (x[lane] for x in self._lanes(epoch))
      for low in range(start // self.block * self.block, end, self.block):
        part = slice(low, min(low + self.block, len(sequence)))
        # Where each image of the shuffled block stands in the block as read.
        sorter = np.argsort(sequence[part])
        place = sorter[np.searchsorted(sequence[part], shuffled[part], sorter=sorter)]
        place = place[max(start - low, 0):end - low]
        yield Block(_segments(self.lengths, sequence[part]), place.astype(np.int32))

  def near(self, update: int) -> np.ndarray:
    """Returns the images of an update of this host, then all that are read together with them."""
    epoch, step = divmod(update, self.updates_per_pass)
    place = step * (self.examples // self.unique) // self.updates_per_pass * self.per_lane
    low = place // self.block * self.block
    sequence, _ = self._lanes(epoch)
    stop = place + self.per_lane + self.block
    together = sequence[list(self.host_lanes), low:stop].reshape(-1)
    return np.concatenate([self.update(update).example, together])

  def _lanes(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
    return _lanes(self.lengths, self.bad, self.unique, self.lanes, self.block, self.shuffle_seed,
                  epoch)


@functools.lru_cache(maxsize=4)
def _lanes(lengths: tuple[int, ...], bad: tuple[int, ...], unique: int, lanes: int, block: int,
           seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
  """int32 [L, images of a lane] twice: as read, and as shuffled within blocks."""
  word = lambda what, *counter: draws.philox(
      (*counter, epoch), (seed, zlib.crc32(what.encode())))[0]
  shards = np.argsort(word('shards', np.arange(len(lengths)), 0, 0), kind='stable')
  first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
  sequence = np.concatenate([first[s] + np.arange(lengths[s]) for s in shards])
  sequence = sequence[~np.isin(sequence, bad)]
  total = len(sequence)
  # Else the last shard of a single one would always be the one that is left out.
  sequence = np.roll(sequence, -int(draws.integers(word('roll', 0, 0, 0), total)))
  sequence = sequence[:total // unique * unique].reshape(lanes, -1).astype(np.int32)
  place = np.arange(sequence.shape[1])
  key = word('window', place[None], np.arange(lanes)[:, None], 0)
  # Sorted by block first and key second: both fit one integer.
  rank = (place // block).astype(np.uint64)[None] << np.uint64(32) | key
  shuffled = np.take_along_axis(sequence, np.argsort(rank, axis=1, kind='stable'), axis=1)
  for x in (sequence, shuffled):
    x.flags.writeable = False
  return sequence, shuffled


def _segments(lengths: tuple[int, ...], examples: np.ndarray) -> np.ndarray:
  """Runs of records that follow each other in one shard: int64 [k, 3]."""
  first = np.concatenate([[0], np.cumsum(lengths)])
  shard = np.searchsorted(first, examples, side='right') - 1
  starts = np.flatnonzero(np.concatenate(
      [[True], (np.diff(shard) != 0) | (np.diff(examples) != 1)]))
  counts = np.diff(np.append(starts, len(examples)))
  return np.stack([shard[starts], examples[starts] - first[shard[starts]], counts], axis=1)
