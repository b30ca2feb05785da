"""The law of segments' lengths: against the public recipe, drawn and in whole passes."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data.text import lengths


def _simulated(count):
  """The recipe of Merity et al.'s public code, with numpy's own generator."""
  rng = np.random.default_rng(1)
  middle = np.where(rng.random(count) < 0.95, 70, 35.0)
  return np.maximum(rng.normal(middle, 5.0).astype(int), 5)


def test_the_law_is_that_of_the_public_recipe():
  law = lengths.Law()
  assert law.most == 85
  count = 400_000
  for found in (_simulated(count), law.drawn(3, 7, count)):
    share = np.bincount(np.minimum(found, law.most), minlength=law.most + 1) / count
    sigma = np.sqrt(law.probabilities / count)
    np.testing.assert_array_less(np.abs(share - law.probabilities), 5 * sigma + 1e-12)
  # Mass behind three deviations, cut to whole tokens: mean 0.95 * 69.5 + 0.05 * 34.5, nearly.
  assert law.mean == pytest.approx(67.75, abs=.01)
  assert law.probabilities.sum() == pytest.approx(1)


def test_short_segments_have_the_least_length():
  law = lengths.Law(segment=6, halved=1.0, deviation=3.0)
  drawn = law.drawn(0, 0, 5000)
  assert drawn.min() == lengths.LEAST and drawn.max() <= law.most == 15
  assert (drawn == lengths.LEAST).mean() == pytest.approx(0.841, abs=.02)  # Phi(1): below 6.


def test_without_chance_all_segments_are_alike():
  law = lengths.Law(segment=9, halved=0.0, deviation=0.0)
  assert law.mean == law.most == 9
  assert set(law.drawn(5, 2, 50)) == {9}


@pytest.mark.parametrize('seed', [0, 1, 2**32 - 1])
def test_a_pass_has_each_token_once_in_lengths_that_are_nearly_as_drawn(seed):
  law, count, total = lengths.Law(), 686, 46_479
  cuts = law.cuts(seed, 4, count, total)
  found, drawn = np.diff(cuts), law.drawn(seed, 4, count)
  assert cuts[0] == 0 and cuts[-1] == total and len(cuts) == count + 1
  assert np.abs(found - drawn).max() <= 1
  assert lengths.LEAST <= found.min() and found.max() <= law.most
  np.testing.assert_array_equal(cuts, law.cuts(seed, 4, count, total))
  assert (found != np.diff(law.cuts(seed, 5, count, total))).mean() > .5


def test_a_length_is_a_function_of_its_own_number():
  law = lengths.Law()
  np.testing.assert_array_equal(law.drawn(2, 9, 400)[:30], law.drawn(2, 9, 30))


@pytest.mark.parametrize('total', [5 * 20, 85 * 20, 1000])
def test_the_ends_of_what_can_be_cut(total):
  found = np.diff(lengths.Law().cuts(0, 0, 20, total))
  assert found.sum() == total and found.min() >= 5 and found.max() <= 85


@pytest.mark.parametrize('total', [5 * 20 - 1, 85 * 20 + 1])
def test_what_cannot_be_cut_is_refused(total):
  with pytest.raises(errors.ConfigError, match='into 20 segments of 5 to 85 tokens'):
    lengths.Law().cuts(0, 0, 20, total)


@pytest.mark.parametrize('key, value', [('segment', 4), ('halved', 1.5), ('deviation', -1.0)])
def test_a_law_out_of_range_is_refused(key, value):
  with pytest.raises(errors.ConfigError, match=f'data.{key}={value}'):
    lengths.Law(**{key: value})


def test_tokens_that_fill_no_stream_are_other_ones_in_each_pass():
  assert {lengths.offset(7, epoch, 3) for epoch in range(40)} == {0, 1, 2, 3}
  assert lengths.offset(7, 3, 0) == 0
