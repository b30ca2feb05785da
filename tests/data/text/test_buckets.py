"""Buckets of pairs: how wide, how full, and which pairs a pass shows."""

import numpy as np
import pytest

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.data.text import buckets
from tests.data.text import helpers


def test_widths_are_few_multiples_of_eight():
  assert buckets.widths(128, 8) == (16, 24, 32, 40, 56, 72, 96, 128)
  assert buckets.widths(126, 8)[-1] == 128
  assert buckets.widths(100, 1) == (104,)
  assert buckets.widths(5, 4) == (8,)
  for longest in range(2, 300, 7):
    for count in (1, 2, 5, 12):
      found = buckets.widths(longest, count)
      assert len(found) <= count and found[-1] - 8 < longest <= found[-1]
      assert all(width % 8 == 0 for width in found) and list(found) == sorted(set(found))


def _plan(data, **changes):
  kwargs = {'unique': 256, 'multiplicity': 1, 'neighbouring': False, 'shuffle_seed': 5, **changes}
  return data.plan(helpers.SHUFFLED, **kwargs)


@pytest.mark.parametrize('unique', [256, 300, 1000])
def test_a_pass_shows_every_pair_once_in_updates_of_at_most_so_many_tokens(unique):
  data = helpers.pairs()
  plan = _plan(data, unique=unique)
  assert plan.updates_per_pass == data.facts.pass_of(unique)
  of_pass, widths = [], set()
  for epoch in range(2):
    shown, not_full = [], 0
    for update in range(epoch * plan.updates_per_pass, (epoch + 1) * plan.updates_per_pass):
      pair, width = plan.update(update)
      widths.add(width)
      # As full as it can be, counted in fours.
      assert len(pair) % 4 == 0 and unique - 4 * width < len(pair) * width <= unique
      there = pair[pair >= 0]
      assert (data.splits['train'].lengths[there] <= width).all()
      not_full += len(there) < len(pair)
      shown += there.tolist()
    assert sorted(shown) == list(range(200)) and not_full <= 1
    of_pass.append(shown)
  assert of_pass[0] != of_pass[1]
  assert widths <= set(data.buckets.widths) and len(widths) <= 3


def test_pairs_that_are_too_long_are_left_out_and_counted():
  data = helpers.pairs(longest=32)
  wanted = set(np.flatnonzero(data.splits['train'].lengths <= 32))
  assert 0 < data.left_out == 200 - len(wanted)
  plan = _plan(data)
  shown = [pair for update in range(plan.updates_per_pass) for pair in plan.update(update).pair]
  assert sorted(pair for pair in shown if pair >= 0) == sorted(wanted)


def test_derived_numbers_of_tokens():
  data = helpers.pairs()
  for changes, wanted in (({'unique': 256, 'multiplicity': 4}, 1),
                          ({'views': 1024, 'multiplicity': 4}, 1),
                          ({'views': 256, 'multiplicity': 4, 'neighbouring': True}, 4)):
    config = schema.get_default()
    config.update({**changes, 'budget': '3 epochs'})
    config.schedule.peak = 0.1
    derived = derived_lib.derive(config, train_images=data.facts.train_examples, devices=4,
                                 pass_of=data.facts.pass_of)
    plan = _plan(data, unique=derived.unique, multiplicity=4,
                 neighbouring=derived.scheme == 'neighbouring')
    assert derived.updates_per_pass == derived.updates_per_epoch == plan.updates_per_pass
    assert plan.updates_per_pass == wanted * data.facts.pass_of(256)
    assert derived.updates == 3 * plan.updates_per_pass and derived.left_out == 0


def test_updates_that_are_too_small_are_refused():
  with pytest.raises(errors.ConfigError, match=r'4 sentences \(data.multiple\) of 64 tokens'):
    _plan(helpers.pairs(), unique=255)
