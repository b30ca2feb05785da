"""Streams of running text: against naive loops, on several hosts, resumed, and evaluated."""

import dataclasses
import itertools
import types

import numpy as np
import pytest

from nfnets_am.config import schema
from nfnets_am.config import seeds as seeds_lib
from nfnets_am.core import errors
from nfnets_am.data.text import lengths
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from nfnets_am.training import sections
from tests.data.text import helpers


def _plan(data, **changes):
  kwargs = {'unique': 4, 'multiplicity': 3, 'neighbouring': False, 'shuffle_seed': 5, **changes}
  return data.plan(helpers.SHUFFLED, **kwargs)


def _batches(data, plan, start=0, stop=None):
  return list(data.train_batches(plan, 0, start, stop or plan.updates_per_pass))


def _naive(text, law, streams, views, seed, epoch, segments):
  """Streams and segments, token by token."""
  total = len(text) // streams
  first = lengths.offset(seed, epoch, len(text) % streams)
  cuts = law.cuts(seed, epoch, segments, total)
  for segment in range(segments):
    rows = []
    for stream, _ in itertools.product(range(streams), range(views)):
      read, said = [], []
      for place in range(cuts[segment], cuts[segment + 1]):
        at = first + stream * total + place
        read.append(text[at - 1] if at else 0)
        said.append(text[at])
      rows.append((stream, read, said))
    yield segment, rows


@pytest.mark.parametrize('tokens', [1000, 1003])
def test_two_passes_are_those_of_a_naive_reader(tokens):
  data = helpers.running(tokens)
  plan = _plan(data)
  text = list(range(1, tokens + 1))
  batches = iter(_batches(data, plan, 0, 2 * plan.updates_per_pass))
  for epoch in range(2):
    said = []
    for segment, rows in _naive(text, data.law, 4, 3, 5, epoch, plan.updates_per_pass):
      batch = next(batches)
      assert batch['tokens'].shape == (12, data.law.most)
      assert set(batch['reset']) == {segment == 0} and not batch['hold'].any()
      for row, (stream, read, targets) in enumerate(rows):
        size = int(batch['length'])
        assert batch['example'][row] == stream
        assert batch['mask'][row].tolist() == [i < size for i in range(data.law.most)]
        assert batch['tokens'][row, :size].tolist() == read
        assert batch['targets'][row, :size].tolist() == targets
        assert not batch['tokens'][row, size:].any() and not batch['targets'][row, size:].any()
        said += targets if row % 3 == 0 else []
    assert len(said) == len(set(said)) == tokens // 4 * 4
  assert next(batches, None) is None


def test_any_update_is_reached_directly():
  data = helpers.running()
  plan = _plan(data)
  whole = _batches(data, plan, 0, 30)
  for start in (1, 13, plan.updates_per_pass - 1, plan.updates_per_pass, 29):
    fresh = helpers.running()
    resumed = _batches(fresh, _plan(fresh), start, 30)
    assert len(resumed) == 30 - start
    for left, right in zip(whole[start:], resumed, strict=True):
      helpers.same(left, right)


@pytest.mark.parametrize('layout', ['image_major', 'view_major'])
@pytest.mark.parametrize('neighbouring', [False, True])
def test_four_hosts_read_what_one_reads(layout, neighbouring):
  data = helpers.running(layout=layout)
  one = _plan(data, neighbouring=neighbouring)
  hosts = [_plan(data, neighbouring=neighbouring, host=host, hosts=4) for host in range(4)]
  assert {plan.updates_per_pass for plan in hosts} == {one.updates_per_pass}
  for update in range(8):
    (wanted,) = _batches(data, one, update, update + 1)
    parts = [_batches(data, plan, update, update + 1)[0] for plan in hosts]
    for key in ('tokens', 'targets', 'mask', 'reset', 'hold', 'example'):
      found = np.concatenate([part[key] for part in parts])
      if layout == 'view_major':  # A host has all views of its streams, view by view.
        copies = one.copies
        found = np.concatenate([[part[key][view] for part in parts] for view in range(copies)])
      np.testing.assert_array_equal(found, wanted[key])
    assert {int(part['length']) for part in parts} == {int(wanted['length'])}


@pytest.mark.parametrize('layout', ['image_major', 'view_major'])
@pytest.mark.parametrize('unique, n', [(4, 1), (4, 3), (2, 6), (12, 0)])
def test_rows_of_a_stream_are_the_same_tokens(unique, n, layout):
  data = helpers.running(layout=layout)
  plan = _plan(data, unique=unique, multiplicity=n)
  for batch in _batches(data, plan):
    assert len(batch['tokens']) == unique * max(n, 1)
    for stream in range(unique):
      rows = batch['tokens'][batch['example'] == stream]
      assert len(rows) == max(n, 1) and (rows == rows[0]).all()


def test_neighbouring_updates_hold_the_same_segments_and_the_carry():
  data = helpers.running()
  plain = _batches(data, _plan(data, multiplicity=1))
  plan = _plan(data, multiplicity=3, neighbouring=True)
  batches = _batches(data, plan)
  assert plan.updates_per_pass == len(batches) == 3 * len(plain)
  for update, batch in enumerate(batches):
    helpers.same(batch, {**plain[update // 3], 'hold': np.full(4, update % 3 < 2)})


def test_a_pass_of_another_seed_is_cut_elsewhere():
  data = helpers.running()
  cut = lambda seed: [int(b['length']) for b in _batches(data, _plan(data, shuffle_seed=seed))]
  assert cut(1) == cut(1) != cut(2)


def test_a_seed_from_a_pass_on_takes_over_at_its_first_update():
  data = helpers.running()
  config = schema.get_default()
  config.seed, config.reseed.epoch, config.reseed.shuffle = 5, 1, 9
  seeds = seeds_lib.of(config)
  plan = _plan(data, shuffle_seed=seeds.shuffle)
  run = types.SimpleNamespace(seeds=seeds, plan=plan, dataset=data)
  found = list(feed.host_batches(run, 0, 2 * plan.updates_per_pass))
  again = _batches(data, dataclasses.replace(plan, shuffle_seed=9), plan.updates_per_pass,
                   2 * plan.updates_per_pass)
  for left, right in zip(found, _batches(data, plan) + again, strict=True):
    helpers.same(left, right)


@pytest.mark.parametrize('split, size', [('test', 57), ('validation', 3)])
@pytest.mark.parametrize('batch, hosts', [(1, 1), (10, 1), (3, 2), (2, 4)])
def test_evaluation_counts_every_token_once(split, size, batch, hosts):
  data = helpers.running()
  said, counts = {}, set()
  for host in range(hosts):
    batches = list(data.eval_batches(split, batch, host=host, hosts=hosts))
    counts.add(len(batches))
    for number, part in enumerate(batches):
      assert part['tokens'].shape == (batch, data.law.segment)
      assert set(part['reset']) == {number == 0}
      mask = part['mask']
      # Each row says what stands behind what it reads; the first reads the end of a line.
      np.testing.assert_array_equal(part['tokens'][mask], part['targets'][mask] - 1)
      for row in range(batch):
        said.setdefault((host, row), []).extend(part['targets'][row][mask[row]].tolist())
  assert len(counts) == 1
  # Row by row they are the text: streams go on from batch to batch.
  assert sum((said[key] for key in sorted(said)), []) == list(range(1, size + 1))


def test_the_spec_of_a_batch_is_what_arrives():
  data = helpers.running()
  plan = _plan(data)
  (batch,) = _batches(data, plan, 0, 1)
  packed = data.preparation.pack(batch, 2)
  spec = data.preparation.batch_spec(plan.rows)
  assert packed.keys() == spec.keys()
  for key, wanted in spec.items():
    if key == 'length':  # Once for each device.
      assert packed[key].shape == (2,) and wanted.shape == (1,)
    else:
      assert (packed[key].shape, packed[key].dtype) == (wanted.shape, wanted.dtype)
  rows = data.preparation.prepare(None, packed)
  assert rows['length'].shape == () and rows['length'] == batch['length']


def test_a_text_has_validation_of_its_own():
  config = schema.get_default()
  config.unique = 20
  config.data = {'name': 'corpus'}
  config.evals.test.split = 'validation'
  (one,) = run_lib.check(sections.complete(config), devices=1, hosts=1)
  assert one.split == 'validation'
  config.data = {'name': 'memory', 'set': 'cifar10'}
  with pytest.raises(errors.ConfigError, match='data.validation is 0'):
    run_lib.check(sections.complete(config), devices=1, hosts=1)


def test_what_cannot_be_shared_out_is_refused():
  data = helpers.running()
  with pytest.raises(errors.ConfigError, match='12 rows .* over 5 devices'):
    data.preparation.pack(_batches(data, _plan(data), 0, 1)[0], 5)
  with pytest.raises(errors.ConfigError, match='host 0 of 3'):
    _plan(data, hosts=3)
  with pytest.raises(errors.ConfigError, match='tokens of a stream cannot be cut into 1 segments'):
    _plan(helpers.running(170), unique=10)
  with pytest.raises(errors.ConfigError, match='running text is read in its own order'):
    data.plan(lambda labels, unique: None, unique=4)
