"""Who is mixed with whom: policies that give every row of an update a partner.

A policy is a function of (plan, augment seed, update) to the rows that partners are taken from and,
for each of the host's rows, the number of its partner among them. It may be given the host's rows
of the update, where they have been made. Partners depend on no number of hosts: they are paired
over all hosts' rows, or, where a host reads its own images alone, within the lanes that hosts share
out.
"""

from collections.abc import Callable
from collections.abc import Sequence
import dataclasses
import functools
from typing import NamedTuple
import zlib

import numpy as np

from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data import draws as draws_lib
from nfnets_am.data import views

# (plan, augment seed, update, rows or None) -> rows to choose from, and int32 [R], numbers of them.
Choose = Callable[..., tuple[views.Rows, np.ndarray]]

# Updates whose shifts are drawn at a time: of one, most of the time is that of calling numpy.
_UPDATES = 16


class Policy(NamedTuple):
  """Where partners come from.

  Attributes:
    choose: gives them.
    draws_anew: whether a partner's own draws are others than those it has as a row: it is another
      view of its image.
    one_weight: whether all rows of an update share one draw of the methods.
  """

  choose: Choose
  draws_anew: bool = False
  one_weight: bool = False


def batch(plan: views.ViewPlan, augment_seed: int, update: int, rows: views.Rows | None = None
          ) -> tuple[views.Rows, np.ndarray]:
  """Another unique image of the update, never the row's own; see `pair`."""
  whole, places, rows = _together(plan, update, rows)
  return rows, pair(rows, rows, augment_seed, update, whole.groups, _seats(whole))[places]


def fresh(plan: views.ViewPlan, augment_seed: int, update: int, rows: views.Rows | None = None
          ) -> tuple[views.Rows, np.ndarray]:
  """As many further unique images, of another update of the pass (NFNets' public code)."""
  whole, places, rows = _together(plan, update, rows)
  pool = whole.update(whole.elsewhere(update))
  return pool, pair(rows, pool, augment_seed, update, whole.groups, _seats(whole))[places]


def pairs(plan: views.ViewPlan, augment_seed: int, update: int, rows: views.Rows | None = None
          ) -> tuple[views.Rows, np.ndarray]:
  """The second images of disjoint pairs of a pass (Summers 2021): the rows hold the first ones.

  An epoch of N mixed images is two shuffled passes, each cut into N / 2 pairs; see orders.pairs.
  """
  del augment_seed, rows
  partners = dataclasses.replace(plan, ordering=plan.partner_ordering).update(update)
  return partners, np.arange(plan.rows, dtype=np.int32)


def permutation(plan: views.ViewPlan, augment_seed: int, update: int,
                rows: views.Rows | None = None) -> tuple[views.Rows, np.ndarray]:
  """A permutation of all rows of the update (Hoffer et al. 2020, public code).

  A row may meet its own image, another view of it or itself: with n views of U images one row in U.
  """
  draws_lib.check_seed('augment', augment_seed)
  _, places, rows = _together(plan, update, rows)
  position, _ = _positions(rows.example)
  # Image by image and view by view, so that the layout does not matter.
  canonical = np.lexsort((rows.view, position))
  words = draws_lib.philox((update, np.arange(len(canonical)), 0, 0),
                           (augment_seed, zlib.crc32(b'permutation')))[0]
  partner = np.empty(len(canonical), np.int32)
  partner[canonical] = canonical[np.argsort(words, kind='stable')]
  return rows, partner[places]


POLICIES = registry.Registry('policy of partners', {
    'batch': Policy(batch),
    'fresh': Policy(fresh, draws_anew=True),
    'pairs': Policy(pairs, draws_anew=True),
    'permutation': Policy(permutation, one_weight=True),
})


class Seats(NamedTuple):
  """Who sits where in an update: U unique images with n views each, in equal groups.

  Attributes:
    group: the number of each row's group among `groups`, int [R].
    place: the number of its image in the group, int [R].
    view: the number of its view among those of the image, int [R].
    size: images in a group.
    row_of: int32 [U, n], the row of each image's views among those to choose from.
  """

  group: np.ndarray
  place: np.ndarray
  view: np.ndarray
  size: int
  row_of: np.ndarray


def pair(own: views.Rows, pool: views.Rows, augment_seed: int, update: int,
         groups: Sequence[int] = (0,), seats: Seats | None = None) -> np.ndarray:
  """Gives every row a partner row that shows another unique image.

  Views i of all images of a group are shifted against those of their partners by a random number
  of images, other for every view, group and update. So each row is the partner of exactly one.

  Args:
    own: the R rows; U unique images with n views each, in any order.
    pool: the rows to choose from: `own` itself, or R rows of U further images. The images of both
      are numbered by their first rows.
    augment_seed: in [0, 2**32).
    update: number of the update.
    groups: numbers of the equal groups, over all hosts, that the images are cut into in order;
      partners come from the same group, so that they do not depend on the number of hosts.
    seats: of the rows, where they are known; else they are looked for, which takes as long as all
      else.

  Returns:
    int32 [R], rows of `pool`.

  Raises:
    errors.ConfigError: a group holds a single unique image, or an image is its own partner.
  """
  draws_lib.check_seed('augment', augment_seed)
  seats = seats or _seated(_grid(own), _grid(pool), len(groups))
  size, fresh_ones = seats.size, pool is not own
  if size + fresh_ones < 2:
    raise _lonely(len(own.example), size * len(groups), len(groups), len(seats.row_of))
  words = _shift_words(augment_seed, update // _UPDATES, tuple(groups), int(own.view.min()),
                       seats.row_of.shape[1])[update % _UPDATES]
  shift = (draws_lib.integers(words, size) if fresh_ones
           else 1 + draws_lib.integers(words, size - 1))[seats.group, seats.view]
  place = seats.place + shift
  place -= (place >= size) * size
  partner = seats.row_of[seats.group * size + place, seats.view]
  same = np.flatnonzero(pool.example[partner] == own.example)
  if len(same):
    raise errors.ConfigError(
        f'image {own.example[same[0]]} of update {update} would be mixed with itself: the images '
        'to mix with are not others than its own')
  return partner


@functools.lru_cache(maxsize=8)
def _seats(plan: views.ViewPlan) -> Seats:
  """Of every update of a plan, since rows lie alike in all of them."""
  return _seated(plan.grid, plan.grid, len(plan.groups))


def _seated(grid: tuple[np.ndarray, np.ndarray], pool_grid: tuple[np.ndarray, np.ndarray],
            groups: int) -> Seats:
  (position, view), unique, pool_unique = grid, 1 + grid[0].max(), 1 + pool_grid[0].max()
  size, rest = divmod(int(unique), groups)
  if rest or pool_unique != unique:
    raise _lonely(len(position), unique, groups, pool_unique)
  row_of = np.empty((unique, 1 + view.max()), np.int32)
  row_of[pool_grid] = np.arange(len(position), dtype=np.int32)
  return Seats(*np.divmod(position, size), view, size, row_of)


def _lonely(rows: int, unique: int, groups: int, others: int) -> errors.ConfigError:
  return errors.ConfigError(
      f'mixing needs partners: {rows} rows hold {unique} unique images, shared out over {groups} '
      f'groups that mix among themselves, with {others} images to mix with; allowed: 2 or more '
      "unique images in each group, or partners='fresh'")


@functools.lru_cache(maxsize=32)
def _shift_words(augment_seed: int, sixteenth: int, groups: tuple[int, ...], first: int,
                 copies: int) -> np.ndarray:
  """Returns uint32 [_UPDATES, groups, copies] of the updates from _UPDATES `sixteenth` on."""
  updates = sixteenth * _UPDATES + np.arange(_UPDATES)
  return draws_lib.philox(
      (updates[:, None, None], np.asarray(groups)[:, None], np.arange(copies) + first, 0),
      (augment_seed, zlib.crc32(b'pair')))[0]


def _together(plan: views.ViewPlan, update: int, rows: views.Rows | None
              ) -> tuple[views.ViewPlan, np.ndarray, views.Rows]:
  """The plan of all that are paired, this host's rows in it, and its rows of the update."""
  whole, places = plan.together
  return whole, places, whole.update(update) if rows is None or whole is not plan else rows


def _positions(example: np.ndarray) -> tuple[np.ndarray, int]:
  """Numbers images by their first rows: int [R] in [0, U), and U."""
  _, first, inverse = np.unique(example, return_index=True, return_inverse=True)
  rank = np.empty(len(first), np.int64)
  rank[np.argsort(first)] = np.arange(len(first))
  return rank[inverse], len(first)


def _grid(rows: views.Rows) -> tuple[np.ndarray, np.ndarray]:
  """Numbers the image of each row, and its view among those of the image: int [R] each."""
  position, unique = _positions(rows.example)
  least = np.full(unique, np.iinfo(np.int32).max)
  np.minimum.at(least, position, rows.view)
  return position, rows.view - least[position]
