"""Which rows an update holds: the meaning of multiplicity, in all schemes and on many hosts."""

import collections

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import orders
from nfnets_am.data import views

# name -> (U per update, n, neighbouring); N = 50 leaves 2 images out of each pass.
SCHEMES = {
    'growing n=1': (8, 1, False),
    'growing n=4': (8, 4, False),
    'fixed B=32 n=2': (16, 2, False),
    'neighbouring n=3': (16, 3, True),
    'raw': (8, 0, False),
}
N = 50


def make_plan(unique, multiplicity, neighbouring=False, *, examples=N, seed=0,
              layout='image_major', host=0, hosts=1):
  return views.ViewPlan(
      examples=examples, unique=unique, multiplicity=multiplicity, neighbouring=neighbouring,
      shuffle_seed=seed, layout=layout, host=host, hosts=hosts)


def a_pass(plan, number=0):
  start = number * plan.updates_per_pass
  return [plan.update(k) for k in range(start, start + plan.updates_per_pass)]


@pytest.mark.parametrize('layout', views.LAYOUTS)
@pytest.mark.parametrize('hosts', [1, 2, 8])
@pytest.mark.parametrize('unique, n, neighbouring', SCHEMES.values(), ids=SCHEMES)
def test_every_update_holds_u_distinct_images_with_all_their_views(
    unique, n, neighbouring, hosts, layout):
  plans = [make_plan(unique, n, neighbouring, layout=layout, host=h, hosts=hosts)
           for h in range(hosts)]
  for k in range(2 * plans[0].updates_per_pass):
    parts = [plan.update(k) for plan in plans]
    assert {len(part.example) for part in parts} == {plans[0].rows}
    rows = [row for part in parts for row in zip(part.example, part.view, strict=True)]
    assert len(set(rows)) == len(rows)
    images = collections.Counter(example for example, _ in rows)
    assert len(images) == unique
    assert set(images.values()) == {1 if neighbouring else max(n, 1)}
    wanted = {k % n} if neighbouring else set(range(max(n, 1)))
    assert {view for _, view in rows} == wanted


@pytest.mark.parametrize('unique, n, neighbouring', SCHEMES.values(), ids=SCHEMES)
def test_a_pass_shows_each_image_once_less_a_remainder_that_changes(unique, n, neighbouring):
  plan = make_plan(unique, n, neighbouring)
  left_out = []
  for number in range(8):
    rows = a_pass(plan, number)
    seen = collections.Counter(
        row for part in rows for row in zip(part.example, part.view, strict=True))
    assert set(seen.values()) == {1}
    shown = collections.Counter(example for example, _ in seen)
    assert set(shown.values()) == {max(n, 1)}
    assert len(shown) == N - plan.left_out == N // unique * unique
    assert all((part.epoch == number).all() for part in rows)
    left_out.append(frozenset(range(N)) - frozenset(shown))
  assert len(set(left_out)) > 4


@pytest.mark.parametrize('unique, n, neighbouring', SCHEMES.values(), ids=SCHEMES)
@pytest.mark.parametrize('hosts', [2, 8])
def test_hosts_hold_the_global_batch_in_the_same_order(unique, n, neighbouring, hosts):
  whole = make_plan(unique, n, neighbouring)
  parts = [make_plan(unique, n, neighbouring, host=h, hosts=hosts) for h in range(hosts)]
  for k in range(2 * whole.updates_per_pass):
    joined = [np.concatenate(x) for x in zip(*(part.update(k) for part in parts), strict=True)]
    for got, want in zip(joined, whole.update(k), strict=True):
      np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize('unique, n, neighbouring', SCHEMES.values(), ids=SCHEMES)
def test_an_update_reached_directly_equals_the_one_reached_by_running(unique, n, neighbouring):
  plan = make_plan(unique, n, neighbouring)
  total = 3 * plan.updates_per_pass
  by_running = [plan.update(k) for k in range(total)]
  for k in np.random.default_rng(0).permutation(total):
    views._ordered.cache_clear()
    for got, want in zip(plan.update(int(k)), by_running[k], strict=True):
      np.testing.assert_array_equal(got, want)


def test_layouts_order_rows_and_their_labels():
  image_major = make_plan(4, 3).update(0)
  view_major = make_plan(4, 3, layout='view_major').update(0)
  ids = image_major.example[::3]
  assert image_major.example.tolist() == [i for i in ids for _ in range(3)]  # aaabbb
  assert image_major.view.tolist() == [0, 1, 2] * 4
  assert view_major.example.tolist() == [*ids] * 3  # ababab
  assert view_major.view.tolist() == [0] * 4 + [1] * 4 + [2] * 4
  labels = np.arange(100, 100 + N)
  assert labels[image_major.example].tolist() == [100 + i for i in ids for _ in range(3)]


def test_mean_over_rows_is_mean_over_images_of_mean_over_views():
  for layout in views.LAYOUTS:
    rows = make_plan(2, 2, layout=layout).update(0)
    first = rows.example[0]
    loss = np.where(rows.example == first, 1 + 2 * rows.view, 5 + 2 * rows.view)
    assert loss.mean() == 4.0  # [[1, 3], [5, 7]]; the sum over views would give 8


def test_batch_sizes_of_both_schemes():
  growing = make_plan(64, 4, examples=50_000)
  assert (growing.rows, growing.unique, growing.updates_per_pass) == (256, 64, 781)
  fixed = make_plan(1024 // 4, 4, examples=50_000)
  assert (fixed.rows, fixed.unique, fixed.updates_per_pass) == (1024, 256, 195)
  small = make_plan(64 // 16, 16, examples=50_000)
  assert (small.rows, small.unique, small.updates_per_pass) == (64, 4, 12_500)


@pytest.mark.parametrize('n', [1, 2, 4, 8, 16])
def test_epochs_count_unique_images(n):
  # 50,000 images: 781.25 updates an epoch when growing, 48.83 n at a fixed 1,024 views.
  assert make_plan(64, n, examples=50_000).updates_per_pass == 781
  per_epoch = make_plan(1024 // n, n, examples=50_000).updates_per_pass
  assert per_epoch == 50_000 // (1024 // n) and abs(per_epoch - 48.83 * n) < 1
  neighbouring = make_plan(1024, n, True, examples=50_000)
  assert neighbouring.updates_per_pass == 48 * n


def test_neighbouring_shows_the_same_images_in_n_consecutive_updates():
  plan = make_plan(4, 2, True, examples=8)
  order = orders.permutation(8, 0, 0)
  updates = a_pass(plan)
  assert plan.updates_per_pass == 4
  assert [u.example.tolist() for u in updates] == [
      order[:4].tolist(), order[:4].tolist(), order[4:].tolist(), order[4:].tolist()]
  assert [u.view.tolist() for u in updates] == [[0] * 4, [1] * 4, [0] * 4, [1] * 4]
  once = make_plan(4, 1, True, examples=8)
  ordinary = make_plan(4, 1, examples=8)
  for k in range(4):
    for got, want in zip(once.update(k), ordinary.update(k), strict=True):
      np.testing.assert_array_equal(got, want)


def test_no_image_twice_in_an_update_over_a_thousand_epochs():
  plan = make_plan(4, 1, examples=8)
  for k in range(2000):
    assert len(set(plan.update(k).example.tolist())) == 4
  # The order that repeats before it shuffles does put images twice into a batch.
  rng = np.random.default_rng(0)
  stream = rng.permutation(np.tile(np.arange(8), 5))
  assert any(len(set(batch)) < 4 for batch in stream.reshape(-1, 4))


def test_what_a_device_and_a_ghost_batch_hold_depends_on_the_layout():
  distinct = lambda rows, size: [len(set(part)) for part in rows.example.reshape(-1, size)]
  # 8 devices with 32 rows each, n = 16: two images a device, one in its first 6 rows.
  rows = make_plan(16, 16).update(0)
  assert distinct(rows, 32) == [2] * 8
  assert len(set(rows.example[:6])) == 1
  # 4 images, n = 4, ghost batches of 4 rows.
  assert distinct(make_plan(4, 4).update(0), 4) == [1] * 4
  assert distinct(make_plan(4, 4, layout='view_major').update(0), 4) == [4] * 4
  # n does not divide the 6 rows of a device: an image straddles two, and no view is lost.
  rows = make_plan(3, 4).update(0)
  assert collections.Counter(rows.example.tolist()).most_common()[-1][1] == 4


def test_the_shuffle_seed_changes_the_order_and_nothing_else():
  first, again, other = (make_plan(8, 2, seed=s).update(0) for s in (0, 0, 1))
  np.testing.assert_array_equal(first.example, again.example)
  assert (first.example != other.example).any()
  np.testing.assert_array_equal(first.view, other.view)


def test_the_order_is_a_uniform_permutation():
  # Where image 0 lands, over many passes.
  places = [orders.permutation(10, 3, e).tolist().index(0) for e in range(2000)]
  counts = np.bincount(places, minlength=10)
  assert ((counts - 200)**2 / 200).sum() < 9 + 5 * np.sqrt(18)


@pytest.mark.parametrize('kwargs, sentence', [
    (dict(unique=51), '51 unique images per update; allowed: 1 to 50'),
    (dict(unique=0), '0 unique images per update'),
    (dict(unique=10, hosts=4), 'host 0 of 4 cannot take an equal share of 10 unique'),
    (dict(unique=8, hosts=2, host=2), 'host 2 of 2'),
    (dict(unique=8, multiplicity=-1), 'multiplicity is -1; allowed: 0 or more'),
    (dict(unique=8, layout='imagemajor'), "layout is 'imagemajor'; allowed: image_major, view_maj"),
    (dict(unique=8, seed=-1), 'the shuffle seed is -1'),
])
def test_plans_that_cannot_work_are_refused(kwargs, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    make_plan(**{'multiplicity': 2, **kwargs})


@pytest.mark.parametrize('layout', views.LAYOUTS)
def test_host_groups_read_the_same_images_and_draw_other_views(layout):
  plan = lambda **kwargs: views.ViewPlan(
      examples=50, unique=8, multiplicity=4, neighbouring=False, shuffle_seed=1, layout=layout,
      **kwargs)
  whole = plan().update(3)
  parts = [plan(host=h, hosts=4, host_group=2).update(3) for h in range(4)]
  for first, second in (parts[:2], parts[2:]):
    np.testing.assert_array_equal(first.example, second.example)
    assert set(first.view) == {0, 1} and set(second.view) == {2, 3}
  rows = lambda *several: sorted(
      row for r in several for row in zip(*(x.tolist() for x in r), strict=True))
  assert rows(*parts) == rows(whole)
  for wrong in ({'hosts': 3, 'host_group': 2}, {'hosts': 8, 'host_group': 8}):
    with pytest.raises(errors.ConfigError, match='data.host_group'):
      plan(**wrong)
