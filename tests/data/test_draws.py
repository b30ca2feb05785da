"""The counter-based generator: published vectors, a loop in plain integers, independence."""

import zlib

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import draws

FULL = 2**32 - 1


# Known-answer vectors that Random123 publishes for philox4x32-10: zeros, ones, digits of pi.
@pytest.mark.parametrize('counter, key, words', [
    ((0, 0, 0, 0), (0, 0), (0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8)),
    ((FULL,) * 4, (FULL,) * 2, (0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd)),
    ((0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344), (0xa4093822, 0x299f31d0),
     (0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1)),
])
def test_philox_gives_the_published_vectors(counter, key, words):
  assert draws.philox(counter, key).tolist() == list(words)


def _philox_in_plain_integers(counter, key):
  c0, c1, c2, c3 = counter
  k0, k1 = key
  for _ in range(10):
    a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
    c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & FULL, (a >> 32) ^ c3 ^ k1, a & FULL
    k0, k1 = (k0 + 0x9E3779B9) & FULL, (k1 + 0xBB67AE85) & FULL
  return [c0, c1, c2, c3]


def test_view_words_are_philox_of_each_view_and_op_by_itself():
  rng = np.random.default_rng(0)
  epoch, example, view = rng.integers(0, 2**31, (3, 7), np.int32)
  words = draws.view_words(5, ['flip', 'cutout'], epoch, example, view, block=2)
  assert words.shape == (2, 4, 7) and words.dtype == np.uint32
  for op, label in enumerate(('flip', 'cutout')):
    key = (5, zlib.crc32(label.encode()))
    for r in range(7):
      counter = (int(epoch[r]), int(example[r]), int(view[r]), 2)
      assert words[op, :, r].tolist() == _philox_in_plain_integers(counter, key)


def test_words_of_an_op_do_not_change_when_others_are_added():
  rows = (np.zeros(5, np.int32), np.arange(5), np.zeros(5, np.int32))
  alone = draws.view_words(0, ['flip'], *rows)[0]
  among = draws.view_words(0, ['pad_crop', 'flip', 'flip_2'], *rows)
  np.testing.assert_array_equal(among[1], alone)
  assert (among[2] != alone).all() and (among[0] != alone).all()


@pytest.mark.parametrize('bound', [1, 2, 9, 162, 1000])
def test_integers_are_uniform_below_the_bound(bound):
  words = draws.philox((np.arange(200_000), 0, 0, 0), (0, 0))[0]
  values = draws.integers(words, bound)
  assert values.dtype == np.int32
  counts = np.bincount(values, minlength=bound)
  assert len(counts) == bound
  expected = len(words) / bound
  # Chi-square with bound - 1 degrees of freedom, five deviations of slack.
  assert ((counts - expected)**2 / expected).sum() <= bound + 5 * np.sqrt(2 * bound)


def test_integers_reach_both_ends():
  ends = np.array([0, FULL], np.uint32)
  assert draws.integers(ends, 9).tolist() == [0, 8]
  assert draws.uniform(ends).tolist() == [0.0, 1 - 2**-24]
  assert draws.uniform(ends).dtype == np.float32


@pytest.mark.parametrize('seed', [-1, 2**32, 1.0, True, '0'])
def test_a_seed_out_of_range_is_refused(seed):
  with pytest.raises(errors.ConfigError, match='augment seed is .*; allowed: integers from 0'):
    draws.view_words(seed, ['flip'], np.zeros(1), np.zeros(1), np.zeros(1))
