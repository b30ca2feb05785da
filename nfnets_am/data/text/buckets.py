"""Which pairs of sentences an update holds: as many as its tokens allow, all of about one length.

Pairs are sorted into a few buckets by the longer sentence of a pair. All rows of a bucket have one
static width, and all rows of an update are of one bucket, so that there are as many programs to
compile as buckets. An update has at most U tokens of each language, padding counted. Pairs that do
not fill an update of their bucket go to the next wider one, in each pass other pairs; the last
update of the widest is filled up with rows that do not count. So a pass has every pair once, and
one update that is not full.
"""

import dataclasses
import functools
from typing import NamedTuple
import zlib

import numpy as np

from nfnets_am.core import errors
from nfnets_am.data import draws
from nfnets_am.data import orders
from nfnets_am.data import views

# Widths are multiples of it; the least is twice as much.
_STEP = 8
_LABEL = zlib.crc32(b'buckets')


class Rows(NamedTuple):
  """The rows of one host's part of an update."""
  pair: np.ndarray  # int32 [R], place in the split; -1 is no pair.
  width: int  # of all rows


def widths(longest: int, count: int) -> tuple[int, ...]:
  """Returns the widths of at most `count` buckets: multiples of 8, as if at equal ratios.

  Args:
    longest: that a sentence may be; the last width holds it.
    count: at least 1.
  """
  last = -(-longest // _STEP)
  first = min(2, last)
  ratio = (last / first) ** (1 / max(count - 1, 1))
  steps = {round(first * ratio**i) for i in range(count - 1)} | {last}
  return tuple(_STEP * step for step in sorted(steps))


@dataclasses.dataclass(frozen=True, eq=False)
class Buckets:
  """Training pairs by length.

  Attributes:
    widths: ascending.
    of_pair: int32 [N], the bucket of each pair; -1 for one that is longer than all.
    multiple: pairs of an update are a multiple of it, so that as many devices can share them.
  """

  widths: tuple[int, ...]
  of_pair: np.ndarray
  multiple: int

  @classmethod
  def of(cls, lengths: np.ndarray, sizes: tuple[int, ...], multiple: int) -> 'Buckets':
    """Returns the buckets of pairs of lengths int64 [N]."""
    found = np.searchsorted(sizes, lengths).astype(np.int32)
    return cls(sizes, np.where(lengths > sizes[-1], -1, found), multiple)

  @functools.cached_property
  def counts(self) -> np.ndarray:
    """Pairs of each bucket, int64."""
    return np.bincount(self.of_pair[self.of_pair >= 0], minlength=len(self.widths))

  def rows(self, tokens: int) -> list[int]:
    """Returns how many pairs of each bucket an update of at most `tokens` tokens has.

    Raises:
      ConfigError: not even the least number of them.
    """
    found = [tokens // width // self.multiple * self.multiple for width in self.widths]
    if not found[-1]:
      raise errors.ConfigError(
          f'{tokens} unique tokens in an update, but {self.multiple} sentences (data.multiple) of '
          f'{self.widths[-1]} tokens (data.longest) are {self.multiple * self.widths[-1]}; '
          'allowed: at least as many')
    return found

  def updates(self, tokens: int) -> int:
    """Returns how many updates of at most `tokens` tokens show each pair once."""
    found, rest = 0, 0
    for count, rows in zip(self.counts.tolist(), self.rows(tokens), strict=True):
      full, rest = divmod(rest + count, rows)
      found += full
    return found + bool(rest)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class BucketPlan:
  """The rows of every update, as a pure function of the update's number; see views.ViewPlan.

  Attributes:
    buckets: of the training pairs.
    unique: U, tokens of each language in an update over all hosts, at most.
    multiplicity, neighbouring, shuffle_seed, layout, host, hosts, host_group: as of ViewPlan.
  """

  buckets: Buckets
  unique: int
  multiplicity: int
  neighbouring: bool
  shuffle_seed: int
  layout: str
  host: int = 0
  hosts: int = 1
  host_group: int = 1

  def __post_init__(self):
    for rows in self.buckets.rows(self.unique):
      self._shown(rows, 0)  # Refuses what cannot be shared out.

  @property
  def updates_per_pass(self) -> int:
    """Updates in one pass over the pairs (one epoch)."""
    return self.buckets.updates(self.unique) * self._visits

  def update(self, k: int) -> Rows:
    """Returns this host's rows of update k >= 0, in the order of the layout."""
    epoch, step = divmod(k, self.updates_per_pass)
    bucket, members = _ordered(self, epoch)[step // self._visits]
    rows = self.buckets.rows(self.unique)[bucket]
    filled = np.full(rows, -1, np.int32)
    filled[:len(members)] = members
    return Rows(filled[self._shown(rows, step % self._visits)], self.buckets.widths[bucket])

  def _shown(self, rows: int, visit: int) -> np.ndarray:
    """Returns which of an update's pairs each of this host's rows shows: int32 [R]."""
    of_rows = views.ViewPlan(
        examples=rows, unique=rows, multiplicity=self.multiplicity, neighbouring=self.neighbouring,
        shuffle_seed=self.shuffle_seed, layout=self.layout, host=self.host, hosts=self.hosts,
        host_group=self.host_group, ordering=_as_they_are(rows))
    return of_rows.update(visit).example

  @property
  def _visits(self) -> int:
    """Consecutive updates that hold the same pairs."""
    return max(self.multiplicity, 1) if self.neighbouring else 1


@functools.lru_cache(maxsize=64)
def _as_they_are(rows: int) -> orders.Order:
  return lambda seed, epoch: np.arange(rows, dtype=np.int32)


@functools.lru_cache(maxsize=2)
def _ordered(plan: BucketPlan, epoch: int) -> list[tuple[int, np.ndarray]]:
  """Returns the bucket and the pairs of each update of a pass, a visit of several counted once."""
  buckets = plan.buckets
  order = orders.permutation(len(buckets.of_pair), plan.shuffle_seed, epoch)
  of_order = buckets.of_pair[order]
  found, rest = [], order[:0]
  for bucket, rows in enumerate(buckets.rows(plan.unique)):
    members = np.concatenate([rest, order[of_order == bucket]])
    full = len(members) // rows * rows
    found += [(bucket, part) for part in members[:full].reshape(-1, rows)]
    rest = members[full:]
  if len(rest):
    found.append((len(buckets.widths) - 1, rest))
  word = draws.philox((np.arange(len(found)), epoch, 0, 0), (plan.shuffle_seed, _LABEL))[0]
  return [found[at] for at in np.argsort(word, kind='stable')]
