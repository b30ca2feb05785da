"""Small texts, and a naive reader of them, for the tests of text."""

import functools

import numpy as np

from nfnets_am.data import orders
from nfnets_am.data.text import corpora
from nfnets_am.data.text import corpus
from nfnets_am.data.text import lengths
from nfnets_am.data.text import pair_sets
from nfnets_am.data.text import translation
from nfnets_am.data.text import vocabulary

SHUFFLED = functools.partial(orders.shuffled)


def running(tokens: int = 1000, *, test: int = 57, layout: str = 'image_major',
            law: lengths.Law | None = None) -> corpus.CorpusInput:
  """Returns a text whose token at place i is i + 1; 0 is the end of a line."""
  words = vocabulary.Words(f'w{i}' for i in range(tokens))
  splits = {'train': np.arange(1, tokens + 1, dtype=np.int32),
            'validation': np.arange(1, 4, dtype=np.int32),
            'test': np.arange(1, test + 1, dtype=np.int32)}
  return corpus.CorpusInput(corpora.Corpus('numbers', words, splits),
                            law or lengths.Law(segment=10, deviation=2.0), layout=layout,
                            host_group=1)


def pairs(count: int = 200, *, longest: int = 64, multiple: int = 4, buckets: int = 3,
          layout: str = 'image_major') -> translation.TranslationInput:
  """Returns pairs of 1 to 60 words, of which no two begin alike."""
  rng = np.random.default_rng(0)
  words = vocabulary.Words(f'w{i}' for i in range(1, 1000))

  def split(first: int, size: int) -> pair_sets.Pairs:
    both = []
    for offset in (0, 400):
      sentences = [[first + offset + i, *rng.integers(1, 900, rng.integers(0, 60))]
                   for i in range(1, size + 1)]
      both.append(pair_sets.Sentences(
          np.concatenate(sentences).astype(np.uint16), np.cumsum([len(s) for s in sentences])))
    return pair_sets.Pairs(*both, tuple(words.text(one) for one in sentences))

  splits = {'train': split(0, count), 'validation': split(count, 5), 'test': split(count + 5, 23)}
  return translation.TranslationInput(
      pair_sets.PairSet('numbers', words, splits), longest=longest, buckets=buckets,
      multiple=multiple, layout=layout, host_group=1)


def sentence(sentences: pair_sets.Sentences, at: int) -> list[int]:
  """Returns the tokens of one sentence, found naively."""
  begin = int(sentences.ends[at - 1]) if at else 0
  return sentences.tokens[begin:int(sentences.ends[at])].tolist()


def same(left: dict, right: dict) -> None:
  """Asserts that two batches are the same, bit for bit."""
  assert left.keys() == right.keys()
  for key in left:
    assert left[key].dtype == right[key].dtype
    np.testing.assert_array_equal(left[key], right[key], err_msg=key)
