"""Which images, and which views of them, every update holds: multiplicity in its three schemes.

Growing batch (Fort et al. 2021 sec. 2, Hoffer et al. 2020): U unique images, n views each. Fixed
batch (Fort sec. 3): the same with U = B / n. Neighbouring (Fort app. C): the same B images, one
fresh view each, in n consecutive updates.

Nothing here holds state: any update is reached directly, so resuming replays nothing.
"""

import dataclasses
import functools
from typing import NamedTuple

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws
from nfnets_am.data import orders

LAYOUTS = ('image_major', 'view_major')


class Rows(NamedTuple):
  """The R rows of one host's part of an update, all int32 [R]."""
  example: np.ndarray  # position of the image in its split
  epoch: np.ndarray  # pass over the unique images
  view: np.ndarray  # which of the n views of the image

  def taken(self, index: np.ndarray) -> 'Rows':
    """Returns the rows of these numbers, int [any]."""
    return Rows(*(x[index] for x in self))


@dataclasses.dataclass(frozen=True, kw_only=True)
class ViewPlan:
  """The rows of every update, as a pure function of the update's number.

  Every pass goes through the N unique images in an order of its own; what the last incomplete
  update leaves out differs from pass to pass. No update holds an image twice.

  Attributes:
    examples: N, images in the split.
    unique: U, unique images in an update over all hosts (neighbouring: U = B).
    multiplicity: n, views of each unique image; 0 is the raw image, once.
    neighbouring: the n views lie in n consecutive updates instead of in one.
    shuffle_seed: seed of the order of images, in [0, 2**32).
    layout: 'image_major' puts the views of an image next to each other (row u*n + i is view i of
      image u), 'view_major' puts different images next to each other (row i*U + u).
    host: this host's number; hosts share out the unique images of an update.
    hosts: how many there are. The order of images does not depend on it.
    host_group: neighbouring hosts that read the same images and draw different views of them
      (distributed batch augmentation, Hoffer et al. 2020 sec. 4.5); 1 is none.
    ordering: of the images of a pass, see orders.py; None is shuffled passes.
    partner_ordering: of the images that those are mixed with, where partners are disjoint pairs of
      a pass (orders.pairs).
  """
  examples: int
  unique: int
  multiplicity: int
  neighbouring: bool
  shuffle_seed: int
  layout: str
  host: int = 0
  hosts: int = 1
  host_group: int = 1
  ordering: orders.Order | None = None
  partner_ordering: orders.Order | None = None

  # Numbers of the groups of images that partners come from, see pairing.pair.
  groups = (0,)

  def __post_init__(self):
    if not 1 <= self.unique <= self.examples:
      raise errors.ConfigError(
          f'{self.unique} unique images per update; allowed: 1 to {self.examples}, the number of '
          'images in the split, since no update holds an image twice')
    if self.multiplicity < 0:
      raise errors.ConfigError(f'multiplicity is {self.multiplicity}; allowed: 0 or more')
    if self.layout not in LAYOUTS:
      raise errors.ConfigError(f'layout is {self.layout!r}; allowed: {", ".join(LAYOUTS)}')
    if self.hosts % self.host_group or self._all_views % self.host_group:
      raise errors.ConfigError(
          f'data.host_group={self.host_group} with {self.hosts} hosts and {self._all_views} views '
          'of an image in an update; allowed: divisors of both')
    if self.unique % self.reading_hosts or not 0 <= self.host < self.hosts:
      raise errors.ConfigError(
          f'host {self.host} of {self.hosts} cannot take an equal share of {self.unique} unique '
          'images per update; allowed: numbers of unique images that the hosts divide')
    draws.check_seed('shuffle', self.shuffle_seed)

  @property
  def updates_per_pass(self) -> int:
    """Updates in one pass over the unique images (one epoch)."""
    return self.examples // self.unique * self._visits

  @property
  def left_out(self) -> int:
    """Images that a pass does not show, since they do not fill an update."""
    return self.examples % self.unique

  @property
  def rows(self) -> int:
    """R, this host's rows in every update."""
    return self.share * self.copies

  @property
  def reading_hosts(self) -> int:
    """Hosts, or groups of them, that read different images."""
    return self.hosts // self.host_group

  @property
  def first(self) -> int:
    """Number of this host's first unique image within an update."""
    return self.host // self.host_group * self.share

  @property
  def share(self) -> int:
    """This host's unique images in an update."""
    return self.unique // self.reading_hosts

  @property
  def copies(self) -> int:
    """This host's views of each of them in an update."""
    return self._all_views // self.host_group

  def update(self, k: int) -> Rows:
    """Returns this host's rows of update k >= 0, in the order of the layout."""
    epoch, step = divmod(k, self.updates_per_pass)
    start = step // self._visits * self.unique + self.first
    share = self.share
    ids = self.order(epoch)[start:start + share]
    views = np.arange(self.copies, dtype=np.int32)
    views += np.int32(step % self._visits + self.host % self.host_group * self.copies)
    # Of an image that the order brings again in the same pass, further views are drawn.
    before = self.before(epoch)[start:start + share] * np.int32(max(self.multiplicity, 1))
    image, copy = self.grid
    return Rows(ids[image], np.full(len(image), epoch, np.int32), before[image] + views[copy])

  @functools.cached_property
  def together(self) -> tuple['ViewPlan', np.ndarray]:
    """The plan that one host would have, and this host's rows in its updates: int32 [R]."""
    if self.hosts == 1:
      return self, np.arange(self.rows, dtype=np.int32)
    whole = dataclasses.replace(self, host=0, hosts=1, host_group=1)
    rows = np.arange(whole.rows, dtype=np.int32)
    by_image = (rows.reshape(self.unique, -1) if self.layout == 'image_major'
                else rows.reshape(-1, self.unique).T)
    first = self.host % self.host_group * self.copies
    mine = by_image[self.first:self.first + self.share, first:first + self.copies]
    return whole, (mine if self.layout == 'image_major' else mine.T).reshape(-1)

  @functools.cached_property
  def grid(self) -> tuple[np.ndarray, np.ndarray]:
    """Which of the host's images a row shows, and which of its views: int [R] each."""
    images = np.arange(self.share)
    copies = np.arange(self.copies)
    if self.layout == 'image_major':
      return np.repeat(images, self.copies), np.tile(copies, self.share)
    return np.tile(images, self.copies), np.repeat(copies, self.share)

  @functools.cached_property
  def positions(self) -> np.ndarray:
    """The number of each row's unique image within an update over all hosts: int [R]."""
    return self.grid[0] + self.first

  def elsewhere(self, update: int) -> int:
    """Returns another update of the same pass, half a pass away: its images are other ones.

    It gives partners to mix with. Every image is a partner as often as it is a row's own.

    Raises:
      errors.ConfigError: a pass has no two updates of different images.
    """
    steps = self.examples // self.unique
    if steps < 2:
      raise errors.ConfigError(
          f'{self.unique} fresh partners for {self.unique} unique images of an update need '
          f'{2 * self.unique} images, but there are {self.examples}; allowed: fewer unique images, '
          "or partners='batch'")
    epoch, step = divmod(update, self.updates_per_pass)
    return (epoch * self.updates_per_pass
            + (step + steps // 2 * self._visits) % self.updates_per_pass)

  def order(self, epoch: int) -> np.ndarray:
    """Returns the images of a pass in the order in which updates take them: int32 [at most N]."""
    return _ordered(self._ordering, self.shuffle_seed, epoch)[0]

  def before(self, epoch: int) -> np.ndarray:
    """Returns how often each image of `order` was there before in its pass: int32, same shape."""
    return _ordered(self._ordering, self.shuffle_seed, epoch)[1]

  @functools.cached_property
  def _ordering(self) -> orders.Order:
    return self.ordering or _shuffled(self.examples, self.unique)

  @property
  def _all_views(self) -> int:
    """Views of an image in one update over all hosts."""
    return 1 if self.neighbouring else max(self.multiplicity, 1)

  @property
  def _visits(self) -> int:
    """Consecutive updates that hold the same images."""
    return max(self.multiplicity, 1) if self.neighbouring else 1


@functools.lru_cache(maxsize=64)
def _shuffled(examples: int, unique: int) -> orders.Order:
  """One object for all plans of a size, so that they share the orders that are kept."""
  return orders.shuffled(np.zeros(examples, np.int32), unique)


@functools.lru_cache(maxsize=4)
def _ordered(ordering: orders.Order, seed: int, epoch: int) -> tuple[np.ndarray, np.ndarray]:
  """The images of a pass, and how often each was there before in it: int32, read-only."""
  order = ordering(seed, epoch)
  before = np.zeros_like(order)
  if np.bincount(order).max() > 1:
    ranked = np.argsort(order, kind='stable')
    first = np.searchsorted(order[ranked], order[ranked])
    before[ranked] = np.arange(len(order)) - first
  order.flags.writeable = before.flags.writeable = False
  return order, before
