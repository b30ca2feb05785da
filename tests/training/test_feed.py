"""Batches of a run: each pass with its seeds, and any update is reached directly."""

import numpy as np
import pytest

from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests import tiny


def _run(**changes):
  # 100 images, 8 in an update: a pass has 12.
  return run_lib.build(sections.override(tiny.get_config(), {'budget': '40 updates', **changes}))


def _same(a, b):
  for key in a:
    for x, y in zip(*(np.asarray(part[key] if not isinstance(part[key], dict) else
                                 [v for op in part[key].values() for v in op.values()])
                      for part in (a, b)), strict=True):
      np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize('source', ['shuffle', 'augment'])
def test_a_source_has_its_second_seed_from_its_pass_on_and_the_others_keep_theirs(source):
  plain = list(feed.host_batches(_run(), 0, 40))
  other = list(feed.host_batches(_run(**{f'seeds.{source}': 5}), 0, 40))
  again = list(feed.host_batches(_run(**{'reseed.epoch': 2, f'reseed.{source}': 5}), 0, 40))
  assert len(plain) == len(other) == len(again) == 40
  for k in range(40):
    _same(again[k], plain[k] if k < 24 else other[k])
  different = 'example' if source == 'shuffle' else 'draws'
  with pytest.raises(AssertionError):
    _same({different: plain[30][different]}, {different: other[30][different]})


@pytest.mark.parametrize('start', [0, 7, 23, 24, 25, 39])
def test_any_update_is_reached_directly(start):
  run = _run(**{'reseed.epoch': 2, 'reseed.shuffle': 5, 'reseed.augment': 6})
  whole = list(feed.host_batches(run, 0, 40))
  rest = list(feed.host_batches(run, start, 40))
  assert len(rest) == 40 - start
  for a, b in zip(whole[start:], rest, strict=True):
    _same(a, b)


def test_a_second_seed_from_the_first_pass_on_is_that_seed():
  one = list(feed.host_batches(_run(**{'reseed.epoch': 0, 'reseed.shuffle': 5}), 0, 13))
  other = list(feed.host_batches(_run(**{'seeds.shuffle': 5}), 0, 13))
  for a, b in zip(one, other, strict=True):
    _same(a, b)
