"""Pairs of sentences: against naive padding, on several hosts, resumed, and evaluated."""

import numpy as np
import pytest

from nfnets_am.core import errors
from tests.data.text import helpers


def _plan(data, **changes):
  kwargs = {'unique': 256, 'multiplicity': 2, 'neighbouring': False, 'shuffle_seed': 5, **changes}
  return data.plan(helpers.SHUFFLED, **kwargs)


def _batches(data, plan, start=0, stop=None):
  return list(data.train_batches(plan, 0, start, stop or plan.updates_per_pass))


def _check(data, split, batch):
  """Every row is what naive padding makes of its pair."""
  pairs, width = data.splits[split], batch['tokens'].shape[1]
  for row, pair in enumerate(batch['example'].tolist()):
    if pair < 0:
      assert not batch['mask'][row].any() and not batch['source_mask'][row].any()
      continue
    source, target = (helpers.sentence(one, pair) for one in (pairs.source, pairs.target))
    wanted = {'source': source + [0], 'tokens': [0] + target, 'targets': target + [0]}
    for key, tokens in wanted.items():
      assert batch[key][row].tolist() == tokens + [0] * (width - len(tokens)), key
    for key, tokens in (('source_mask', source), ('mask', target)):
      assert batch[key][row].tolist() == [i <= len(tokens) for i in range(width)]


def test_a_pass_is_what_naive_padding_makes_of_it():
  data = helpers.pairs()
  batches = _batches(data, _plan(data))
  for batch in batches:
    _check(data, 'train', batch)
    np.testing.assert_array_equal(batch['example'][::2], batch['example'][1::2])
    np.testing.assert_array_equal(batch['tokens'][::2], batch['tokens'][1::2])
  assert len({batch['tokens'].shape for batch in batches}) <= 3
  assert sum(int(batch['mask'].sum()) for batch in batches) == 2 * data.facts.train_examples


def test_any_update_is_reached_directly():
  data = helpers.pairs()
  plan = _plan(data)
  whole = _batches(data, plan, 0, plan.updates_per_pass + 4)
  for start in (1, plan.updates_per_pass - 1, plan.updates_per_pass, plan.updates_per_pass + 3):
    fresh = helpers.pairs()
    resumed = _batches(fresh, _plan(fresh), start, plan.updates_per_pass + 4)
    for left, right in zip(whole[start:], resumed, strict=True):
      helpers.same(left, right)


@pytest.mark.parametrize('neighbouring', [False, True])
def test_four_hosts_read_what_one_reads(neighbouring):
  data = helpers.pairs()
  one = _plan(data, neighbouring=neighbouring)
  hosts = [_plan(data, neighbouring=neighbouring, host=host, hosts=4) for host in range(4)]
  whole = _batches(data, one)
  parts = [_batches(data, plan) for plan in hosts]
  for wanted, *of_hosts in zip(whole, *parts, strict=True):
    helpers.same({key: np.concatenate([part[key] for part in of_hosts]) for key in wanted}, wanted)


def test_neighbouring_updates_hold_the_same_pairs():
  data = helpers.pairs()
  plain = _batches(data, _plan(data, multiplicity=1))
  batches = _batches(data, _plan(data, multiplicity=3, neighbouring=True))
  assert len(batches) == 3 * len(plain)
  for update, batch in enumerate(batches):
    helpers.same(batch, plain[update // 3])


@pytest.mark.parametrize('batch, hosts', [(1, 1), (7, 1), (3, 2), (2, 4)])
@pytest.mark.parametrize('longest', [64, 24])
def test_evaluation_counts_every_pair_once(batch, hosts, longest):
  data = helpers.pairs(longest=longest)
  of_hosts = [list(data.eval_batches('test', batch, host=host, hosts=hosts))
              for host in range(hosts)]
  shapes = [[part['tokens'].shape for part in one] for one in of_hosts]
  assert all(one == shapes[0] for one in shapes) and len(set(shapes[0])) <= 3 + 1
  shown = []
  for part in sum(of_hosts, []):
    assert len(part['tokens']) == batch
    _check(data, 'test', part)
    shown += part['example'].tolist()
  assert sorted(pair for pair in shown if pair >= 0) == list(range(23))
  target = data.splits['test'].target
  assert data.references('test') == tuple(
      data.vocabulary.text(helpers.sentence(target, pair)) for pair in range(23))
  assert len(data.references('train')) == 200 and data.references('train')[0].startswith('w401')


def test_the_spec_of_a_batch_is_that_of_the_longest_bucket():
  data = helpers.pairs()
  widest = next(batch for batch in _batches(data, _plan(data)) if batch['tokens'].shape[1] == 64)
  spec = data.preparation.batch_spec(len(widest['tokens']))
  packed = data.preparation.pack(widest, 4)
  assert {key: (x.shape, x.dtype) for key, x in packed.items()} == {
      key: (x.shape, x.dtype) for key, x in spec.items()}


def test_other_orders_are_refused():
  with pytest.raises(errors.ConfigError, match='pairs of sentences come in shuffled passes'):
    helpers.pairs().plan(lambda labels, unique: None, unique=256)
