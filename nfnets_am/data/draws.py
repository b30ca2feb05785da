"""Random numbers that are a function of what they are for: Philox4x32-10 in numpy.

Salmon et al. (2011), "Parallel random numbers: as easy as 1, 2, 3". A counter-based generator has
no state: the numbers of one view do not depend on which views were drawn before, on how many
hosts share the work, or on what other ops the pipeline holds. So nothing is replayed after a
restart, and adding an op leaves the draws of the others as they were.
"""

from collections.abc import Sequence
import zlib

import numpy as np

from nfnets_am.core import errors

_ROUNDS = 10
_MULTIPLIERS = (np.uint64(0xD2511F53), np.uint64(0xCD9E8D57))
_WEYL = (0x9E3779B9, 0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)


def philox(counter: Sequence[np.ndarray], key: Sequence[np.ndarray]) -> np.ndarray:
  """Philox4x32-10: four random words for every counter.

  Args:
    counter: four arrays of integers in [0, 2**32), broadcastable to one shape [...].
    key: two arrays of the same kind.

  Returns:
    uint32 [4, ...], independent and uniform.
  """
  # 32-bit words in 64-bit arrays: the products then need no care about overflow.
  c0, c1, c2, c3, k0, k1 = np.broadcast_arrays(
      *(np.asarray(word, np.uint64) for word in (*counter, *key)))
  for i in range(_ROUNDS):
    round_key = [(k + np.uint64(i * weyl)) & _LOW for k, weyl in zip((k0, k1), _WEYL, strict=True)]
    product0, product1 = _MULTIPLIERS[0] * c0, _MULTIPLIERS[1] * c2
    c0, c1, c2, c3 = (
        (product1 >> _32) ^ c1 ^ round_key[0], product1 & _LOW,
        (product0 >> _32) ^ c3 ^ round_key[1], product0 & _LOW)
  return np.stack([c0, c1, c2, c3]).astype(np.uint32)


def view_words(augment_seed: int, labels: Sequence[str], epoch: np.ndarray, example: np.ndarray,
               view: np.ndarray, block: int = 0) -> np.ndarray:
  """Random words for R views and O ops in one go.

  Args:
    augment_seed: the seed of all augmentation, in [0, 2**32).
    labels: one label per op, unique in its pipeline ('flip', 'flip_2').
    epoch: int [R], pass over the unique images.
    example: int [R], position of the image in its split.
    view: int [R], which of the n views of the image.
    block: which four words; an op that needs more than four asks for more blocks.

  Returns:
    uint32 [O, 4, R]: key (augment_seed, crc32 of the label), counter (epoch, example, view, block).

  Raises:
    errors.ConfigError: the seed is out of range.
  """
  check_seed('augment', augment_seed)
  keys = np.array([zlib.crc32(label.encode()) for label in labels], np.uint64)[:, None]
  words = philox((epoch, example, view, block), (augment_seed, keys))
  return np.moveaxis(words, 0, 1)


def words(augment_seed: int, label: str, epoch: np.ndarray, example: np.ndarray, view: np.ndarray,
          blocks: int) -> np.ndarray:
  """Returns uint32 [4 blocks, R]: block b of `view_words` in rows 4 b to 4 b + 3."""
  parts = [view_words(augment_seed, [label], epoch, example, view, block=b)[0]
           for b in range(blocks)]
  return np.concatenate(parts) if parts else np.zeros((0, len(example)), np.uint32)


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
