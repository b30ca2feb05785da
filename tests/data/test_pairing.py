"""Partners: other images than a row's own, unless the policy says otherwise."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import orders
from nfnets_am.data import pairing
from nfnets_am.data import views


def _rows(unique, n, layout, first=0):
  ids, view = np.arange(first, first + unique) * 7 % 1009, np.arange(n)
  if layout == 'image_major':
    example, view = np.repeat(ids, n), np.tile(view, unique)
  else:
    example, view = np.tile(ids, n), np.repeat(view, unique)
  return views.Rows(example, np.full(unique * n, 3), view)


@pytest.mark.parametrize('layout', views.LAYOUTS)
@pytest.mark.parametrize('n', [1, 2, 4, 8, 16])
def test_partners_are_other_images_and_each_row_is_one(n, layout):
  for unique in (2, 3, 4, 7, 16):
    own = _rows(unique, n, layout)
    further = _rows(unique, n, layout, first=500)
    for update in range(20):
      partner = pairing.pair(own, own, 5, update)
      assert (own.example[partner] != own.example).all()
      assert sorted(partner) == list(range(len(own.example)))
      partner = pairing.pair(own, further, 5, update)
      assert sorted(partner) == list(range(len(own.example)))


def test_every_other_image_is_a_partner_and_views_differ_in_theirs():
  own = _rows(6, 4, 'image_major')
  met = {(a, b) for k in range(100) for a, b in
         zip(own.example, own.example[pairing.pair(own, own, 0, k)], strict=True)}
  assert len(met) == 6 * 5
  partners = own.example[pairing.pair(own, own, 0, 0)].reshape(6, 4)
  assert len(set(partners[0])) > 1
  alone = _rows(1, 4, 'image_major', first=500)
  assert (pairing.pair(_rows(1, 4, 'image_major'), alone, 0, 0) == np.arange(4)).all()


def test_both_layouts_pair_the_same_views():
  pairs = []
  for layout in views.LAYOUTS:
    own = _rows(5, 4, layout)
    partner = pairing.pair(own, own, 9, 2)
    pairs.append({(own.example[r], own.view[r]): (own.example[p], own.view[p])
                  for r, p in enumerate(partner)})
  assert pairs[0] == pairs[1]


def test_hosts_that_share_groups_pair_as_one_host_does():
  own = _rows(12, 2, 'image_major')
  whole = own.example[pairing.pair(own, own, 1, 4, groups=range(4))]
  parts = []
  for host in range(2):
    part = views.Rows(*(x[host * 12:(host + 1) * 12] for x in own))
    parts.append(part.example[pairing.pair(part, part, 1, 4, groups=range(host * 2, host * 2 + 2))])
  np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_refuses_a_single_image_and_images_that_meet_themselves():
  own = _rows(1, 16, 'image_major')
  with pytest.raises(errors.ConfigError, match='16 rows hold 1 unique images'):
    pairing.pair(own, own, 0, 0)
  own = _rows(4, 2, 'image_major')
  with pytest.raises(errors.ConfigError, match='4 unique images, shared out over 4 groups'):
    pairing.pair(own, own, 0, 0, groups=range(4))
  again = views.Rows(*(x.copy() for x in _rows(1, 2, 'image_major')))
  with pytest.raises(errors.ConfigError, match='mixed with itself'):
    pairing.pair(_rows(1, 2, 'image_major'), again, 0, 0)


def _plan(policy='batch', examples=40, unique=8, **kwargs):
  labels = np.zeros(examples, np.int32)
  ordering, partners = orders.shuffled(labels, unique), None
  if policy == 'pairs':
    ordering, partners = orders.pairs(labels, unique)
  return views.ViewPlan(**({
      'examples': examples, 'unique': unique, 'multiplicity': 2, 'neighbouring': False,
      'shuffle_seed': 4, 'layout': 'image_major', 'ordering': ordering,
      'partner_ordering': partners} | kwargs))


def _pairs(policy, plan, update, seed=3):
  """(own image, view) and (partner image, view) of each row."""
  pool, index = pairing.POLICIES[policy].choose(plan, seed, update)
  rows = plan.update(update)
  return list(zip(zip(rows.example.tolist(), rows.view.tolist(), strict=True),
                  zip(pool.example[index].tolist(), pool.view[index].tolist(), strict=True),
                  strict=True))


@pytest.mark.parametrize('layout', views.LAYOUTS)
@pytest.mark.parametrize('policy', ['batch', 'fresh', 'permutation'])
def test_partners_do_not_depend_on_the_hosts_or_the_layout(policy, layout):
  whole = sorted(_pairs(policy, _plan(), 3))
  for hosts, group in ((2, 1), (4, 1), (2, 2), (4, 2)):
    parts = [pair for host in range(hosts) for pair in _pairs(
        policy, _plan(layout=layout, host=host, hosts=hosts, host_group=group), 3)]
    assert sorted(parts) == whole


@pytest.mark.parametrize('n', [1, 2, 4])
@pytest.mark.parametrize('policy', ['batch', 'fresh', 'pairs'])
def test_no_image_meets_itself_in_any_update_of_three_passes(policy, n):
  plan = _plan(policy, multiplicity=n)
  for update in range(3 * plan.updates_per_pass):
    assert all(own[0] != partner[0] for own, partner in _pairs(policy, plan, update))


def test_a_permutation_lets_one_row_in_u_meet_its_own_image():
  plan = _plan(unique=8, multiplicity=4)
  met = [own[0] == partner[0] for k in range(300) for own, partner in
         _pairs('permutation', plan, k)]
  assert np.mean(met) == pytest.approx(1 / 8, abs=0.02)
  rows = [partner for _, partner in _pairs('permutation', plan, 0)]
  assert len(set(rows)) == len(rows)


@pytest.mark.parametrize('examples', [40, 41])
def test_disjoint_pairs_show_each_image_once_in_each_half_of_an_epoch(examples):
  plan = _plan('pairs', examples=examples, unique=4, multiplicity=1)
  for epoch in range(2):
    pairs = [tuple(image for image, _ in pair) for k in range(plan.updates_per_pass)
             for pair in _pairs('pairs', plan, epoch * plan.updates_per_pass + k)]
    assert len(pairs) == 40
    for half in (pairs[:20], pairs[20:]):
      assert len({image for pair in half for image in pair}) == 40
    assert pairs[:20] != pairs[20:]


def test_an_image_is_seen_in_other_views_each_time_it_comes_in_an_epoch():
  plan = _plan('pairs', unique=4, multiplicity=2)
  seen = [side for k in range(plan.updates_per_pass) for pair in _pairs('pairs', plan, k)
          for side in (('own', *pair[0]), ('partner', *pair[1]))]
  assert len(set(seen)) == len(seen)


def test_an_odd_image_that_updates_would_need_is_refused():
  with pytest.raises(errors.ConfigError, match='41 images and 41 in an update'):
    orders.pairs(np.zeros(41, np.int32), 41)
