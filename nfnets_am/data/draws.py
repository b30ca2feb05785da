"""Random numbers that are a function of what they are for: Philox4x32-10 in numpy.

Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3". A counter-based generator has
no state: the numbers of one view do not depend on which views were drawn before, on how many
hosts share the work, or on what other ops the pipeline holds. So nothing is replayed after a
restart, and adding an op leaves the draws of the others as they were.
"""

from collections.abc import Mapping
from collections.abc import Sequence
import zlib

import numpy as np

from nfnets_am.core import errors

_ROUNDS = 10
# In the order in which a round takes them: of words 2 and 0 of the counter.
_MULTIPLIERS = np.array([0xCD9E8D57, 0xD2511F53], np.uint64)
_WEYL = np.array([0x9E3779B9, 0xBB67AE85], np.uint64)
_32 = np.uint64(32)


def philox(counter: Sequence[np.ndarray], key: Sequence[np.ndarray]) -> np.ndarray:
  """Philox4x32-10: four random words for every counter.

  Args:
    counter: four arrays of integers in [0, 2**32), broadcastable to one shape [...].
    key: two arrays of the same kind.

  Returns:
    uint32 [4, ...], independent and uniform.
  """
  shape = np.broadcast_shapes(*(np.shape(word) for word in (*counter, *key)))
  words = np.empty((4, *shape), '<u4')
  for i, given in enumerate(counter):
    words[i] = given
  keys = np.stack(np.broadcast_arrays(*(np.asarray(word, np.uint64) for word in key)))
  per_word = lambda x: x.reshape(2, *(1,) * (len(shape) + 1 - x.ndim), *x.shape[1:])
  # Of all rounds at once: for a thousand rows a call of numpy costs as much as what it does.
  keys, rounds = per_word(keys), np.arange(_ROUNDS, dtype=np.uint64)
  keys = (keys + np.multiply.outer(rounds, per_word(_WEYL))).astype('<u4')
  multipliers = per_word(_MULTIPLIERS)
  product = np.empty((2, *shape), '<u8')
  # The product's halves are its memory read as words of 32 bits: a round is four calls of numpy.
  low, high = np.moveaxis(product.view('<u4').reshape(2, *shape, 2), -1, 0)
  taken, others, made = words[2::-2], words[1::2], words[::2]
  for of_round in keys:
    np.multiply(taken, multipliers, out=product)
    np.bitwise_xor(high, others, out=made)
    made ^= of_round
    others[...] = low
  return words


def view_words(augment_seed: int, labels: Sequence[str], epoch: np.ndarray, example: np.ndarray,
               view: np.ndarray, block: int | np.ndarray = 0) -> np.ndarray:
  """Random words for R views and O ops in one go.

  Args:
    augment_seed: the seed of all augmentation, in [0, 2**32).
    labels: one label per op, unique in its pipeline ('flip', 'flip_2').
    epoch: int [R], pass over the unique images.
    example: int [R], position of the image in its split.
    view: int [R], which of the n views of the image.
    block: which four words, int or int [O, 1]; an op that needs more than four asks for more
      blocks.

  Returns:
    uint32 [O, 4, R]: key (augment_seed, crc32 of the label), counter (epoch, example, view, block).

  Raises:
    errors.ConfigError: the seed is out of range.
  """
  check_seed('augment', augment_seed)
  keys = np.array([zlib.crc32(label.encode()) for label in labels], np.uint64)[:, None]
  words = philox((epoch, example, view, block), (augment_seed, keys))
  return np.moveaxis(words, 0, 1)


def words(augment_seed: int, blocks: Mapping[str, int], epoch: np.ndarray, example: np.ndarray,
          view: np.ndarray) -> dict[str, np.ndarray]:
  """Returns label -> uint32 [4 blocks, R]: block b of `view_words` in rows 4 b to 4 b + 3.

  Args:
    augment_seed: in [0, 2**32).
    blocks: label -> how many blocks of four words.
    epoch: int [R].
    example: int [R].
    view: int [R].
  """
  labels = [label for label, count in blocks.items() for _ in range(count)]
  block = [number for count in blocks.values() for number in range(count)]
  drawn = view_words(augment_seed, labels, epoch, example, view, np.array(block, int)[:, None])
  ends = np.cumsum(list(blocks.values()))
  return {label: drawn[end - count:end].reshape(4 * count, -1)
          for end, (label, count) in zip(ends, blocks.items(), strict=True)}


def integers(words: np.ndarray, bound: int) -> np.ndarray:
  """Maps uint32 words to int32 in [0, bound) by multiply and shift.

  No value is more likely than another by more than bound / 2**32.
  """
  return ((words.astype(np.uint64) * np.uint64(bound)) >> _32).astype(np.int32)


def uniform(words: np.ndarray) -> np.ndarray:
  """Maps uint32 words to float32 in [0, 1), multiples of 2**-24."""
  return (words >> np.uint32(8)).astype(np.float32) * np.float32(2**-24)


def check_seed(name: str, seed: int) -> None:
  """Raises ConfigError unless `seed` is an integer in [0, 2**32)."""
  if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**32:
    raise errors.ConfigError(f'the {name} seed is {seed!r}; allowed: integers from 0 to 2**32 - 1')
