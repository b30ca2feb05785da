"""The order of streamed images: once per pass, the same for any hosts, reached from anywhere."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data.stream import order as stream_order

LENGTHS = (13, 0, 29, 1, 40, 20)
FIRST = np.concatenate([[0], np.cumsum(LENGTHS)[:-1]])


def _plan(**changes):
  return stream_order.StreamPlan(**({
      'examples': sum(LENGTHS), 'unique': 8, 'multiplicity': 2, 'neighbouring': False,
      'shuffle_seed': 0, 'layout': 'image_major', 'lengths': LENGTHS, 'lanes': 4, 'window': 24}
      | changes))


def _read(plan, lane, start, stop):
  """Images of a lane as its blocks give them."""
  images = []
  for block in plan.blocks(lane, start, stop):
    read = np.concatenate([FIRST[s] + np.arange(a, a + c) for s, a, c in block.segments])
    images.extend(read[block.order])
  return np.array(images)


def test_each_image_at_most_once_per_pass_and_other_ones_left_out():
  plan = _plan()
  assert plan.updates_per_pass == 12 and plan.left_out == 7
  left_out = []
  for epoch in range(20):
    shown = np.concatenate([
        plan.update(k).example[::2] for k in range(epoch * 12, epoch * 12 + 12)])
    assert len(set(shown)) == len(shown) == 96
    left_out.append(tuple(sorted(set(range(103)) - set(shown))))
  assert len(set(left_out)) > 15
  assert len(set().union(*left_out)) > 60


@pytest.mark.parametrize('hosts', [2, 4])
@pytest.mark.parametrize('neighbouring', [False, True])
def test_hosts_share_the_order_of_one_host(hosts, neighbouring):
  whole = _plan(neighbouring=neighbouring)
  parts = [_plan(neighbouring=neighbouring, host=h, hosts=hosts) for h in range(hosts)]
  for k in (0, 5, 11, 12, 40):
    np.testing.assert_array_equal(
        whole.update(k).example, np.concatenate([p.update(k).example for p in parts]))
  assert [lane for p in parts for lane in p.host_lanes] == list(range(4))


@pytest.mark.parametrize('window', [1, 4, 24, 10_000])
@pytest.mark.parametrize('neighbouring', [False, True])
def test_blocks_read_what_updates_hold(window, neighbouring):
  plan = _plan(window=window, neighbouring=neighbouring)
  visits = 2 if neighbouring else 1
  for start, stop in ((0, 30), (7, 8), (11, 37), (24, 26)):
    read = np.stack([_read(plan, lane, start, stop) for lane in range(4)])
    first = start // visits
    wanted = {k // visits: plan.update(k).example.reshape(4, 2, -1)[:, :, 0]
              for k in range(start, stop)}
    assert read.shape[1] == 2 * len(wanted)
    for visit, images in wanted.items():
      at = 2 * (visit - first)
      np.testing.assert_array_equal(read[:, at:at + 2], images)


def test_the_window_bounds_how_far_images_move():
  plan = _plan(window=24)
  for lane in range(4):
    for block in plan.blocks(lane, 0, 24):
      assert block.segments[:, 2].sum() <= 6
      assert sorted(block.order) == list(range(len(block.order)))


def test_the_order_differs_between_seeds_passes_and_windows():
  orders = [_plan(**c).order(e).tolist() for c, e in (
      ({}, 0), ({}, 1), ({'shuffle_seed': 1}, 0), ({'window': 60}, 0))]
  assert len(set(map(tuple, orders))) == 4


def test_bad_images_are_never_shown():
  bad = (0, 13, 14, 50, 102)
  plan = _plan(examples=98, bad=bad)
  assert plan.updates_per_pass == 12 and plan.left_out == 2
  for epoch in range(4):
    order = plan.order(epoch)
    assert len(set(order)) == 96 and not set(order) & set(bad)
  for lane in range(4):
    np.testing.assert_array_equal(
        _read(plan, lane, 0, 12), plan.order(0).reshape(12, 4, 2)[:, lane].reshape(-1))


def test_one_shard_is_left_out_at_varying_places():
  plan = _plan(lengths=(103,))
  tails = {tuple(sorted(set(range(103)) - set(plan.order(e).tolist()))) for e in range(8)}
  assert len(tails) == 8


def test_near_names_the_update_and_its_blocks():
  plan = _plan(host=1, hosts=2)
  near = plan.near(17)
  np.testing.assert_array_equal(near[:8], plan.update(17).example)
  assert set(plan.update(17).example) <= set(near[8:].tolist())


@pytest.mark.parametrize('changes, message', [
    ({'lanes': 3}, 'data.lanes=3 with 8'), ({'hosts': 8}, 'data.lanes=4 with 8.*8 hosts'),
    ({'window': 0}, 'data.window=0'), ({'examples': 90}, 'the shards hold 103')])
def test_refuses(changes, message):
  with pytest.raises(errors.ConfigError, match=message):
    _plan(**changes)


@pytest.mark.parametrize('neighbouring', [False, True])
def test_elsewhere_holds_other_images_and_visits_every_update(neighbouring):
  plan = _plan(neighbouring=neighbouring)
  per_pass = plan.updates_per_pass
  found = [plan.elsewhere(k) for k in range(2 * per_pass)]
  assert sorted(found) == list(range(2 * per_pass))
  for k, other in enumerate(found):
    assert not set(plan.update(k).example) & set(plan.update(other).example)
    assert (plan.update(k).view == plan.update(other).view).all()
  with pytest.raises(errors.ConfigError, match='need 104 images, but there are 103'):
    _plan(unique=52).elsewhere(0)
