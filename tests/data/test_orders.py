"""Orders of a pass: shuffled, and updates of a few classes (Summers 2021, Table 4.1)."""

import collections
import functools
import math

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import orders
from nfnets_am.data import views

# 100 classes of 40 examples, in no order.
_LABELS = np.random.default_rng(0).permutation(np.repeat(np.arange(100), 40)).astype(np.int32)
_UNIQUE = 32


@functools.cache
def _order(classes=4):
  return orders.ORDERS.make('class_batches', _LABELS, _UNIQUE, classes=classes)


def _updates(seed, epochs, classes=4):
  rows = np.concatenate([_order(classes)(seed, epoch) for epoch in range(epochs)])
  return rows.reshape(-1, _UNIQUE)


def _plan(**kwargs):
  return views.ViewPlan(**{
      'examples': len(_LABELS), 'unique': _UNIQUE, 'multiplicity': 3, 'neighbouring': False,
      'shuffle_seed': 5, 'layout': 'image_major', 'ordering': _order(), **kwargs})


def test_a_shuffled_pass_shows_every_example_once():
  order = orders.ORDERS.make('shuffled', _LABELS, _UNIQUE)
  assert sorted(order(3, 7)) == list(range(len(_LABELS)))
  np.testing.assert_array_equal(order(3, 7), orders.permutation(len(_LABELS), 3, 7))
  assert (order(3, 7) != order(3, 8)).any() and (order(3, 7) != order(4, 7)).any()


def test_classes_are_drawn_with_replacement():
  updates = _updates(0, 32)
  assert updates.shape == (32 * 125, _UNIQUE)
  different = np.array([len(set(_LABELS[update])) for update in updates])
  expected = math.prod(1 - k / 100 for k in range(4))
  assert expected == pytest.approx(0.94109, abs=5e-6)
  # Within 4 standard errors of the share of 4,000 updates.
  error = math.sqrt(expected * (1 - expected) / len(updates))
  assert abs(np.mean(different == 4) - expected) < 4 * error
  assert different.max() == 4 and 3 in different
  # Each class gives a hundredth of the rows; it is drawn 160 times on average.
  drawn = np.bincount(_LABELS[updates].ravel(), minlength=100) / (_UNIQUE // 4)
  assert ((drawn - 160)**2 / 160).sum() < 99 + 5 * math.sqrt(2 * 99)


@pytest.mark.parametrize('classes', [1, 4, 32])
def test_a_class_gives_its_share_for_each_time_that_it_is_drawn(classes):
  share = _UNIQUE // classes
  several = 0
  for update in _updates(1, 2, classes):
    assert len(set(update)) == _UNIQUE
    counts = collections.Counter(_LABELS[update].tolist())
    assert all(count % share == 0 for count in counts.values())
    assert sum(counts.values()) == _UNIQUE
    several += len(counts) < classes
  assert several > 0 or classes == 1


def test_every_example_of_a_drawn_class_is_as_likely():
  shown = np.bincount(_updates(2, 40).ravel(), minlength=len(_LABELS))
  # 40 examples on average, whose classes are drawn together.
  assert shown.mean() == pytest.approx(40)
  of_class = shown[np.argsort(_LABELS, kind='stable')].reshape(100, 40)
  expected = of_class.mean(axis=1, keepdims=True)
  chi = ((of_class - expected)**2 / expected).sum()
  assert chi < 100 * 39 + 5 * math.sqrt(2 * 100 * 39)


def test_rows_of_different_classes_lie_side_by_side():
  labels = _LABELS[_updates(3, 2)]
  sorted_rows = sum((np.diff(row) != 0).sum() <= 3 for row in labels)
  assert sorted_rows == 0


def test_it_is_a_function_of_the_seed_and_the_pass_alone():
  order = _order()
  np.testing.assert_array_equal(
      order(7, 3), orders.class_batches(_LABELS.copy(), _UNIQUE, classes=4)(7, 3))
  assert (order(7, 3) != order(7, 4)).any() and (order(7, 3) != order(8, 3)).any()


def test_hosts_share_out_the_same_updates():
  parts = [_plan(host=host, hosts=4) for host in range(4)]
  for k in (0, 124, 125, 300):
    joined = [np.concatenate(x) for x in zip(*(part.update(k) for part in parts), strict=True)]
    for got, want in zip(joined, _plan().update(k), strict=True):
      np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize('layout', views.LAYOUTS)
def test_an_example_that_comes_again_in_a_pass_has_further_views(layout):
  plan = _plan(layout=layout)
  assert plan.updates_per_pass == 125
  seen = collections.defaultdict(list)
  for k in range(plan.updates_per_pass):
    rows = plan.update(k)
    for example in set(rows.example.tolist()):
      seen[example].append(sorted(rows.view[rows.example == example].tolist()))
  for shown in seen.values():
    assert shown == [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(len(shown))]
  assert max(map(len, seen.values())) >= 3 and len(seen) < len(_LABELS)
  # The next pass begins anew: its draws have another epoch.
  assert plan.update(125).view.min() == 0 and set(plan.update(125).epoch) == {1}


def test_neighbouring_updates_hold_the_same_examples():
  plan = _plan(neighbouring=True)
  updates = [plan.update(k) for k in range(6)]
  for first in (0, 3):
    for k in range(3):
      np.testing.assert_array_equal(updates[first + k].example, updates[first].example)
      np.testing.assert_array_equal(updates[first + k].view, updates[first].view + k)
  assert (updates[0].example != updates[3].example).any()


@pytest.mark.parametrize('unique, classes, words', [
    (32, 5, 'order.classes=5 with 32 unique examples in an update; allowed: a divisor'),
    (32, 0, 'order.classes=0 with 32'),
    (44, 4, 'may take 44 examples of one class, but a class has 40')])
def test_what_the_classes_cannot_give_is_refused(unique, classes, words):
  with pytest.raises(errors.ConfigError, match=words):
    orders.ORDERS.make('class_batches', _LABELS, unique, classes=classes)
