"""What tokens are: the words of a text, or pieces of words that are learnt from it.

An entry is made from the lines of the training split and the folder they came from. It has `size`
(K), `eos` and `bos`, the tokens that end and begin a sentence, `encode` and `text`.
"""

import collections
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Sequence
import itertools
from typing import Any

import numpy as np

from nfnets_am.config import schema
from nfnets_am.core import calls
from nfnets_am.core import errors
from nfnets_am.core import registry
from nfnets_am.data.text import pieces

EOS, UNKNOWN = '<eos>', '<unk>'
_LANGUAGE = calls.Language('data.vocabulary', 'a vocabulary', 'words(size=10000)')


class Words:
  """Words, parted by spaces, each a token.

  Attributes:
    words: token -> word; the first is EOS, which begins a sentence as well.
  """

  eos = bos = 0

  def __init__(self, words: Iterable[str]):
    self.words = (EOS, *words)
    self._number = {word: number for number, word in enumerate(self.words)}

  @property
  def size(self) -> int:
    """K."""
    return len(self.words)

  def encode(self, lines: Sequence[str], what: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the tokens of lines and where each line ends.

    Args:
      lines: N of them.
      what: they are, for the error.

    Returns:
      int32 [sum of lengths] without EOS, and int64 [N].

    Raises:
      UserError: a word is not in the vocabulary, and it has no token for such words.
    """
    words = [line.split() for line in lines]
    ends = np.cumsum([len(line) for line in words], dtype=np.int64)
    if UNKNOWN in self._number:
      unknown = self._number[UNKNOWN]
      numbers = (self._number.get(word, unknown) for word in itertools.chain.from_iterable(words))
      return np.fromiter(numbers, np.int32, ends[-1]), ends
    try:
      numbers = (self._number[word] for word in itertools.chain.from_iterable(words))
      return np.fromiter(numbers, np.int32, ends[-1]), ends
    except KeyError as e:
      word = e.args[0]
      line = next(number for number, line in enumerate(words, 1) if word in line)
      raise errors.UserError(
          f'the word {word!r} in line {line} of {what} is not in the vocabulary of {self.size} '
          f'words; allowed: the words of the training text, or data.vocabulary with {UNKNOWN}, '
          f"such as 'words(size={self.size})'") from e

  def text(self, tokens: Iterable[int]) -> str:
    """Returns the words of tokens, with spaces between them."""
    return ' '.join(self.words[token] for token in tokens)


def closed(lines: Sequence[str], folder: str) -> Words:
  """All words of the training text, in the order in which they come; there are no others."""
  del folder
  found = dict.fromkeys(word for line in lines for word in line.split())
  found.pop(EOS, None)
  return Words(found)


def words(lines: Sequence[str], folder: str, *, size: int = 10000) -> Words:
  """The commonest words; all others are one token, UNKNOWN.

  Args:
    lines: of the training text.
    folder: not needed.
    size: K at most, with EOS and UNKNOWN; at least 3.
  """
  del folder
  schema.require(size >= 3, 'data.vocabulary: size', size, 'a whole number from 3 up')
  counts = collections.Counter(word for line in lines for word in line.split())
  for special in (EOS, UNKNOWN):
    counts.pop(special, None)
  # Of words that are as common the first comes first.
  return Words([UNKNOWN, *(word for word, _ in counts.most_common(size - 2))])


VOCABULARIES = registry.Registry('vocabulary', {
    'bpe': pieces.bpe,
    'closed': closed,
    'words': words,
})


def parse(text: str) -> Callable[[Sequence[str], str], Any]:
  """Returns (lines of the training text, folder) -> vocabulary of 'words(size=10000)'.

  Raises:
    ConfigError: it cannot be read, or the name or an argument is unknown.
  """
  name, kwargs = calls.one(text, _LANGUAGE, VOCABULARIES.keys_of)
  registry.check_kwargs(f'vocabulary {name!r}', VOCABULARIES[name], kwargs)
  return lambda lines, folder: VOCABULARIES.make(name, lines, folder, **kwargs)


def running(vocabulary: Any, lines: Sequence[str], what: str) -> np.ndarray:
  """Returns lines as one text, int32 [tokens], with EOS behind each."""
  tokens, ends = vocabulary.encode(lines, what)
  return np.insert(tokens, ends, vocabulary.eos)
