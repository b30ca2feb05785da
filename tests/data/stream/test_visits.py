"""Records come in the plan's order, from anywhere, for any number of hosts, in few blocks."""

import dataclasses
import functools

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import tensorflow
from nfnets_am.data.stream import evaluation as stream_evaluation
from nfnets_am.data.stream import records
from nfnets_am.data.stream import visits
from tests.data import encoded

tf = tensorflow.import_tensorflow()
_plan = functools.partial(encoded.plan, lengths=encoded.MANY, examples=sum(encoded.MANY))


@pytest.mark.parametrize('changes', [{}, {'neighbouring': True}, {'host': 1, 'hosts': 2},
                                     {'window': 1}, {'window': 1000, 'lanes': 2}])
def test_records_are_those_of_the_plan(many, changes):
  plan = _plan(**changes)
  wanted = [plan.update(k).example[::1 if plan.neighbouring else 2].tolist() for k in range(80)]
  assert encoded.numbers(visits.visits(many, plan, 0, 80)) == wanted
  assert encoded.numbers(visits.visits(many, plan, 35, 40)) == wanted[35:40]


def test_any_hosts_read_one_order_and_no_image_twice_in_a_pass(many):
  per_pass = sum(encoded.MANY) // 8
  orders = []
  for hosts in (1, 2, 4):
    parts = [encoded.numbers(visits.visits(many, _plan(host=h, hosts=hosts), 0, 2 * per_pass))
             for h in range(hosts)]
    orders.append([[image for part in update for image in part]
                   for update in zip(*parts, strict=True)])
  assert orders[0] == orders[1] == orders[2]
  passes = [np.concatenate(orders[0][start:start + per_pass]) for start in (0, per_pass)]
  for shown in passes:
    assert len(shown) == len(set(shown)) == 8 * per_pass
  assert set(passes[0]) != set(passes[1]) and (passes[0] != passes[1]).any()


def test_array_records_come_in_the_same_order(many, tmp_path):
  folder = encoded.write(tmp_path, encoded.MANY, file_format='array_record')
  indexed = records.open_split('photographs', 'train', str(tmp_path))
  plan = _plan()
  assert indexed.file_format == 'array_record' and indexed.lengths == many.lengths
  assert encoded.numbers(visits.visits(indexed, plan, 3, 9)) == encoded.numbers(
      visits.visits(many, plan, 3, 9))
  batches = list(stream_evaluation.eval_batches(indexed, 10, method='crop_resize', size=24))
  labels = np.concatenate([b['label'][b['mask'] == 1] for b in batches])
  assert labels.tolist() == [i % 10 for i in range(sum(encoded.MANY))]
  assert records.find_bad(indexed, 0) == ()
  path = folder / 'photographs-train.array_record-00002-of-00005'
  path.write_bytes(path.read_bytes()[:-40])
  assert 'of shard photographs-train.array_record-00002' in visits.fault(indexed, plan, 0)


def test_a_cache_keeps_whole_shards_and_is_read_instead(tmp_path):
  folder = encoded.write(tmp_path / 'bucket', encoded.MANY)
  plan = _plan()
  wanted = [plan.update(k).example[::2].tolist() for k in range(37)]
  kept = records.open_split('photographs', 'train', str(tmp_path / 'bucket'),
                            cache=str(tmp_path / 'cache'))
  assert encoded.numbers(visits.visits(kept, plan, 0, 37)) == wanted
  copies = {path.name: path.read_bytes() for path in (tmp_path / 'cache').glob('*/*')}
  assert copies == {path.name: path.read_bytes() for path in folder.glob('*-train*')
                    if path.name in copies}
  # Shards without a record are not read; no partial copies are left.
  assert len(copies) == 4 and all('-of-00005' == name[-9:] for name in copies)
  for path in folder.glob('*-train*'):
    path.unlink()
  assert encoded.numbers(visits.visits(kept, plan, 2, 5)) == wanted[2:5]


def test_a_cache_that_cannot_grow_costs_nothing_but_time(many, tmp_path, caplog):
  kept = dataclasses.replace(many, cache=str(tmp_path / 'gone' / 'cache'))
  plan = _plan()
  assert encoded.numbers(visits.visits(kept, plan, 0, 2)) == encoded.numbers(
      visits.visits(many, plan, 0, 2))
  assert 'is read where it lies' in caplog.text
  (tmp_path / 'file').write_text('')
  encoded.write(tmp_path, encoded.MANY)
  with pytest.raises(errors.UserError, match='data.cache=.* cannot be written'):
    records.open_split('photographs', 'train', str(tmp_path), cache=str(tmp_path / 'file' / 'c'))


@pytest.mark.parametrize('neighbouring', [False, True])
def test_partners_are_those_of_another_update(many, neighbouring):
  plan = _plan(neighbouring=neighbouring)
  step = 1 if neighbouring else 2
  found = encoded.numbers(visits.visits(many, plan, 30, 45, plan.elsewhere))
  assert found == [plan.update(plan.elsewhere(k)).example[::step].tolist() for k in range(30, 45)]


def test_a_fault_is_named_when_its_block_is_read(tmp_path):
  rows = encoded.examples(sum(encoded.MANY))
  folder = encoded.write(tmp_path, encoded.MANY, rows)
  opened = records.open_split('photographs', 'train', str(tmp_path))
  path = folder / 'photographs-train.tfrecord-00002-of-00005'
  path.write_bytes(path.read_bytes()[:-40])
  plan = _plan()
  iterator = visits.visits(opened, plan, 0, 37).as_numpy_iterator()
  done = 0
  with pytest.raises(tf.errors.OpError):
    for _ in iterator:
      done += 1
  assert 'record 128 of shard photographs-train.tfrecord-00002' in visits.fault(
      opened, plan, done)


def test_the_window_is_bounded_in_images_and_bytes(many):
  assert visits.window(many, 100, 10**6) == 100
  megabyte = visits.window(many, 10**6, 1)
  assert 0.9e6 < megabyte * visits.BLOCKS_HELD * many.mean_bytes <= 1e6
  assert np.isfinite(many.mean_bytes)
