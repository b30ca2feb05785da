"""The input of running text: streams that updates go through segment by segment.

The text is cut into U streams of one length, side by side; an update takes a segment of each, all
of one length, and the next update goes on where it ended. A model's carry goes with its row. The n
views of a segment are n rows of the same tokens, which differ in what the model drops.
"""

from collections.abc import Iterator
import functools
from typing import Any

import numpy as np

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data import facts
from nfnets_am.data import orders
from nfnets_am.data import views
from nfnets_am.data.text import corpora
from nfnets_am.data.text import lengths as lengths_lib
from nfnets_am.data.text import preparation


class CorpusInput:
  """A text in memory.

  Attributes:
    name: of the set.
    facts: see data/facts.py. An example is a segment of mean length; a row has up to T tokens.
    splits: 'train', 'validation', 'test' -> int32 [tokens].
    vocabulary: see vocabulary.py.
    law: of a segment's length.
    preparation: the device's end.
  """

  pool = None
  bad: tuple[int, ...] = ()

  def __init__(self, corpus: corpora.Corpus, law: lengths_lib.Law, *, layout: str, host_group: int):
    self.name, self.vocabulary, self.splits = corpus.name, corpus.vocabulary, corpus.splits
    self.law, self._layout, self._host_group = law, layout, host_group
    # The first token of a text is said after the end of a line, as it were.
    self._text = {split: np.concatenate([[np.int32(corpus.vocabulary.eos)], tokens])
                  for split, tokens in corpus.splits.items()}
    self.facts = facts.Facts(
        int(len(self.splits['train']) / law.mean), corpus.vocabulary.size, (law.most,), 'int32')
    of_token, of_row = (law.most,), ()
    self.preparation = preparation.TextPreparation(
        {'tokens': (of_token, np.int32), 'targets': (of_token, np.int32),
         'mask': (of_token, np.bool_), 'reset': (of_row, np.bool_), 'hold': (of_row, np.bool_),
         'example': (of_row, np.int32)},
        {'length': np.int32})

  def plan(self, order: Any, *, unique: int, **kwargs: Any) -> views.ViewPlan:
    """Returns the rows of every update; arguments as of MemoryInput.plan, U streams.

    Raises:
      ConfigError: another order than the default, or a text that is too short for so many streams.
    """
    if getattr(order, 'func', order) is not orders.shuffled:
      raise errors.ConfigError(
          "running text is read in its own order; allowed: order.name='shuffled', which leaves it")
    plan = views.ViewPlan(
        examples=self.facts.train_examples, unique=unique, layout=self._layout,
        host_group=self._host_group, ordering=_contiguous(self.facts.train_examples, unique),
        **kwargs)
    self._cuts(plan, 0)  # Refuses streams that are too short.
    return plan

  def train_batches(self, plan: views.ViewPlan, augment_seed: int, start: int, stop: int
                    ) -> Iterator[dict[str, Any]]:
    """Yields this host's part of updates start .. stop - 1, replaying nothing.

    Args:
      plan: of this input.
      augment_seed: not needed: nothing is drawn for a view here.
      start: first update.
      stop: one past the last update.

    Yields:
      'tokens' and 'targets' int32 [R, T], each target the token behind; 'mask' bool [R, T], True in
      the first 'length' (int32) places; 'reset' bool [R], where the carry begins anew, in the first
      segment of a pass; 'hold' bool [R], where it stays as it was before this update, since the
      same segment comes once more (neighbouring updates); 'example' int32 [R], the number of the
      stream.
    """
    del augment_seed
    text = self._text['train']
    for update in range(start, stop):
      rows = plan.update(update)
      segment, stream = divmod(rows.example, plan.unique)
      step = int(segment[0])
      epoch = int(rows.epoch[0])
      first, cuts = self._cuts(plan, epoch)
      length = cuts[step + 1] - cuts[step]
      begins = first + stream * cuts[-1] + cuts[step]
      again = plan.neighbouring and (update + 1) % max(plan.multiplicity, 1) != 0
      yield _rows(text, begins, np.full(len(begins), length), self.law.most) | {
          'reset': segment == 0, 'hold': np.full(len(begins), again), 'example': stream,
          'length': np.int32(length)}

  def eval_batches(self, split: str, batch: int, *, host: int, hosts: int
                   ) -> Iterator[dict[str, np.ndarray]]:
    """Yields every token of a split as a target once, in as many streams as rows over all hosts.

    Args:
      split: of the text.
      batch: R, streams of a host.
      host: this host's number.
      hosts: how many there are; each gets the same number of batches.

    Yields:
      As train_batches, without 'length' and 'hold', in segments of `data.segment` tokens. What goes
      beyond a stream's end has a 'mask' of False.
    """
    text = self._text[split]
    total = len(text) - 1
    stream = np.arange(host * batch, (host + 1) * batch)
    ends = total * np.arange(batch * hosts + 1) // (batch * hosts)
    size = self.law.segment
    for done in range(0, -(-total // (batch * hosts)), size):
      begins = ends[stream] + done
      yield _rows(text, begins, np.clip(ends[stream + 1] - begins, 0, size), size) | {
          'reset': np.full(batch, done == 0), 'example': stream.astype(np.int32)}

  def _cuts(self, plan: views.ViewPlan, epoch: int) -> tuple[int, np.ndarray]:
    """Returns where the first stream of a pass begins, and where segments do in each stream."""
    total, left = divmod(len(self.splits['train']), plan.unique)
    return _cuts(self.law, plan.shuffle_seed, epoch, plan.examples // plan.unique, total, left)


@functools.lru_cache(maxsize=64)
def _contiguous(examples: int, unique: int) -> orders.Order:
  """The order of segments in every pass: an update takes one of each of U streams."""
  return lambda seed, epoch: np.arange(examples // unique * unique, dtype=np.int32)


@functools.lru_cache(maxsize=4)
def _cuts(law: lengths_lib.Law, seed: int, epoch: int, count: int, total: int, left: int
          ) -> tuple[int, np.ndarray]:
  return lengths_lib.offset(seed, epoch, left), law.cuts(seed, epoch, count, total)


def _rows(text: np.ndarray, begins: np.ndarray, lengths: np.ndarray, size: int
          ) -> dict[str, np.ndarray]:
  """Returns segments [R, size] of a text [1 + tokens] that begin with a token and have a length."""
  places = np.arange(size)
  mask = places < lengths[:, None]
  at = np.where(mask, begins[:, None] + places, 0)
  return {'tokens': np.where(mask, text[at], 0), 'targets': np.where(mask, text[at + 1], 0),
          'mask': mask}


def create(
    dtype: str, *, set: str = 'verses', data_dir: str = '', vocabulary: str = '',
    segment: int = 70, halved: float = 0.05, deviation: float = 5.0, layout: str = 'image_major',
    host_group: int = 1) -> CorpusInput:
  """Reads a text.

  Args:
    dtype: not needed: rows are tokens.
    set: 'ptb', 'verses' (bundled), or 'folder:PATH', see corpora.load.
    data_dir: folder of ptb, or where a PATH that is not absolute begins.
    vocabulary: 'closed()', 'words(size=10000)' or 'bpe(size=37000)'; '' is the set's own.
    segment: tokens of a segment, about; of an evaluation exactly.
    halved: probability of a segment of half as many.
    deviation: of a segment's length; see lengths.py.
    layout: 'image_major' or 'view_major', see ViewPlan.
    host_group: neighbouring hosts that read the same streams.

  Raises:
    ConfigError: an unknown name, or a value out of its range.
    UserError: a split is missing or unreadable, or has a word that the vocabulary lacks.
  """
  del dtype
  schema.require(layout in views.LAYOUTS, 'data.layout', layout,
                 ' or '.join(map(repr, views.LAYOUTS)))
  schema.require(host_group >= 1, 'data.host_group', host_group, 'a whole number from 1 up')
  law = lengths_lib.Law(segment, halved, deviation)
  corpus = corpora.load(set, data_dir=data_dir, vocabulary=vocabulary)
  return CorpusInput(corpus, law, layout=layout, host_group=host_group)
