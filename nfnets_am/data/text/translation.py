"""The input of pairs of sentences: updates of about as many tokens, whatever sentences they hold.

The n views of a pair are n rows of the same tokens, which differ in what the model drops.
"""

from collections.abc import Iterator
from typing import Any

from absl import logging
import numpy as np

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import draws
from nfnets_am.data import facts
from nfnets_am.data import orders
from nfnets_am.data import views
from nfnets_am.data.text import buckets as buckets_lib
from nfnets_am.data.text import pair_sets
from nfnets_am.data.text import preparation


class TranslationInput:
  """Pairs of sentences in memory.

  Attributes:
    name: of the set.
    facts: see data/facts.py. An example is a token of a target; a row is of the longest bucket.
    splits: 'train', 'validation', 'test' -> pairs.
    vocabulary: of both languages, see vocabulary.py.
    buckets: of the training pairs.
    left_out: training pairs that are longer than all buckets.
    preparation: the device's end.
  """

  pool = None
  bad: tuple[int, ...] = ()

  def __init__(self, found: pair_sets.PairSet, *, longest: int, buckets: int, multiple: int,
               layout: str, host_group: int):
    self.name, self.vocabulary, self.splits = found.name, found.vocabulary, found.splits
    self._layout, self._host_group = layout, host_group
    train = found.splits['train']
    sizes = buckets_lib.widths(min(longest, int(train.lengths.max())), buckets)
    self.buckets = buckets_lib.Buckets.of(train.lengths, sizes, multiple)
    kept = self.buckets.of_pair >= 0
    self.left_out = len(kept) - int(kept.sum())
    if self.left_out:
      logging.info('left out: %d of %d training pairs, longer than %d tokens', self.left_out,
                   len(kept), sizes[-1])
    if not kept.any():
      raise errors.ConfigError(
          f'data.longest={longest}, but all training pairs are longer; allowed: more')
    tokens = int((train.target.lengths[kept] + 1).sum())
    self.facts = facts.Facts(tokens, found.vocabulary.size, (sizes[-1],), 'int32',
                             self.buckets.updates)
    row = (sizes[-1],)
    self.preparation = preparation.TextPreparation({
        'source': (row, np.int32), 'source_mask': (row, np.bool_), 'tokens': (row, np.int32),
        'targets': (row, np.int32), 'mask': (row, np.bool_), 'example': ((), np.int32)})

  def plan(self, order: Any, *, unique: int, **kwargs: Any) -> buckets_lib.BucketPlan:
    """Returns the rows of every update; arguments as of MemoryInput.plan, U tokens.

    Raises:
      ConfigError: another order than shuffled passes, or rows that cannot be shared out.
    """
    if getattr(order, 'func', order) is not orders.shuffled:
      raise errors.ConfigError(
          "pairs of sentences come in shuffled passes; allowed: order.name='shuffled'")
    draws.check_seed('shuffle', kwargs['shuffle_seed'])
    return buckets_lib.BucketPlan(
        buckets=self.buckets, unique=unique, layout=self._layout, host_group=self._host_group,
        **kwargs)

  def train_batches(self, plan: buckets_lib.BucketPlan, augment_seed: int, start: int, stop: int
                    ) -> Iterator[dict[str, np.ndarray]]:
    """Yields this host's part of updates start .. stop - 1, replaying nothing.

    Args:
      plan: of this input.
      augment_seed: not needed: nothing is drawn for a view here.
      start: first update.
      stop: one past the last update.

    Yields:
      'source' int32 [R, S], which ends with EOS, and 'source_mask' bool [R, S]; 'tokens' int32
      [R, T], the target behind BOS, 'targets' int32 [R, T], the target and EOS, and 'mask' bool
      [R, T]; 'example' int32 [R], the pair. S = T is the width of the update's bucket. Rows of no
      pair have an 'example' of -1 and masks of False.
    """
    del augment_seed
    for update in range(start, stop):
      rows = plan.update(update)
      yield self._rows('train', rows.pair, rows.width)

  def eval_batches(self, split: str, batch: int, *, host: int, hosts: int
                   ) -> Iterator[dict[str, np.ndarray]]:
    """Yields every pair of a split once, the shorter ones first.

    Args:
      split: of the set.
      batch: R, rows of a host.
      host: this host's number.
      hosts: how many there are; each gets the same number of batches, of the same widths.

    Yields:
      As train_batches. There is one width more where sentences are longer than all buckets.
    """
    lengths = self.splits[split].lengths
    sizes = self.buckets.widths
    if lengths.max() > sizes[-1]:
      sizes = (*sizes, *buckets_lib.widths(int(lengths.max()), 1))
    of_pair = buckets_lib.Buckets.of(lengths, sizes, 1).of_pair
    for bucket, width in enumerate(sizes):
      members = np.flatnonzero(of_pair == bucket).astype(np.int32)
      for first in range(0, len(members), batch * hosts):
        mine = members[first + host * batch:first + (host + 1) * batch]
        yield self._rows(split, np.pad(mine, (0, batch - len(mine)), constant_values=-1), width)

  def references(self, split: str) -> tuple[str, ...]:
    """Returns the translations of a split as they were written; of train as their tokens say."""
    target = self.splits[split].target
    return self.splits[split].references or tuple(
        self.vocabulary.text(target.tokens[begin:end])
        for begin, end in zip(target.starts, target.ends, strict=True))

  def _rows(self, split: str, pair: np.ndarray, width: int) -> dict[str, np.ndarray]:
    pairs = self.splits[split]
    source, source_mask = _padded(pairs.source, pair, width, self.vocabulary.eos)
    targets, mask = _padded(pairs.target, pair, width, self.vocabulary.eos)
    tokens = np.where(mask, np.roll(targets, 1, axis=1), 0)
    tokens[:, 0] = self.vocabulary.bos
    return {'source': source, 'source_mask': source_mask, 'tokens': tokens, 'targets': targets,
            'mask': mask, 'example': pair}


def _padded(sentences: pair_sets.Sentences, which: np.ndarray, width: int, eos: int
            ) -> tuple[np.ndarray, np.ndarray]:
  """Returns sentences with EOS behind each, int32 [R, width], and where they are, bool [R, width].
  """
  there = which >= 0
  begins, lengths = sentences.starts[which], np.where(there, sentences.lengths[which], -1)
  places = np.arange(width)
  inside = places < lengths[:, None]
  tokens = sentences.tokens[np.where(inside, begins[:, None] + places, 0)].astype(np.int32)
  ends = places == lengths[:, None]
  return np.where(inside, tokens, np.where(ends, np.int32(eos), np.int32(0))), inside | ends


def create(
    dtype: str, *, set: str = 'verses_en_es', data_dir: str = '', download: bool = False,
    vocabulary: str = '', longest: int = 128, buckets: int = 8, multiple: int = 8,
    layout: str = 'image_major', host_group: int = 1) -> TranslationInput:
  """Reads pairs of sentences.

  Args:
    dtype: not needed: rows are tokens.
    set: 'wmt16_en_de', 'verses_en_es' (bundled) or 'folder:PATH', see pair_sets.load.
    data_dir: folder of prepared sets of TFDS, or where a PATH that is not absolute begins.
    download: whether TFDS is to fetch what is not there.
    vocabulary: 'bpe(size=37000)', 'closed()' or 'words(size=10000)', of both languages together; ''
      is bpe of 37,000 pieces (Vaswani et al. 2017), for the bundled set of 4,000.
    longest: tokens of the longest sentence that is trained on, with what ends it.
    buckets: widths of rows at most, each of which is a program to compile; evaluation has one more.
    multiple: pairs of an update are a multiple of it; so many devices can share them.
    layout: 'image_major' or 'view_major', see ViewPlan.
    host_group: neighbouring hosts that read the same pairs.

  Raises:
    ConfigError: an unknown name, or a value out of its range.
    UserError: a split is missing or unreadable, has an empty line or not as many lines in both
      languages.
  """
  del dtype
  schema.require(layout in views.LAYOUTS, 'data.layout', layout,
                 ' or '.join(map(repr, views.LAYOUTS)))
  for key, value in (('buckets', buckets), ('multiple', multiple), ('host_group', host_group)):
    schema.require(value >= 1, f'data.{key}', value, 'a whole number from 1 up')
  schema.require(longest >= 2, 'data.longest', longest, 'a whole number from 2 up')
  found = pair_sets.load(
      set, data_dir=data_dir, download=download,
      vocabulary=vocabulary or f'bpe(size={4000 if set == "verses_en_es" else 37000})')
  return TranslationInput(found, longest=longest, buckets=buckets, multiple=multiple, layout=layout,
                          host_group=host_group)
