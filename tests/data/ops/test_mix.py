"""The op that mixes: shares of methods, one draw for a batch, pixels of a naive loop."""

import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.data import ops
from nfnets_am.data import views
from nfnets_am.data.ops import arrays
from nfnets_am.data.ops import methods

TEXT = "mix('mixup(alpha=0.2) | cutmix()')"


def _rows(unique, n):
  return views.Rows(np.tile(np.arange(unique), n), np.zeros(unique * n, int),
                    np.repeat(np.arange(n), unique))


def _mix(text=TEXT):
  return ops.parse(f'{text} | normalise()').mix


@pytest.mark.parametrize('n', [1, 2, 4])
def test_half_of_the_rows_and_of_the_views_each(n):
  _, draws = _mix().draws(0, 'mix', _rows(8, n), np.tile(np.arange(8), n), 8, 8)
  assert draws['method'].sum() * 2 == len(draws['method'])
  if n > 1:
    assert (draws['method'].reshape(n, 8).sum(0) * 2 == n).all()


def test_rows_are_mixed_by_their_own_method_with_its_weight():
  own, partner = np.random.default_rng(0).integers(0, 256, (2, 12, 9, 7, 3), np.uint8)
  mix, rows = _mix(), _rows(12, 1)
  weight, draws = mix.draws(0, 'mix', rows, np.arange(12), 9, 7)
  mixed = np.asarray(mix.mix(arrays.JAX, own, partner, draws))
  for r in range(12):
    if draws['method'][r] == 0:
      wanted = weight[r] * own[r].astype(np.float64) + (1 - weight[r]) * partner[r]
      assert np.abs(mixed[r] - wanted).max() <= 0.5 + 1e-6
    else:
      inside = (mixed[r] == own[r]).all(-1)
      assert (mixed[r] == partner[r]).all(-1)[~inside].all()
      assert inside.mean() == pytest.approx(weight[r], abs=1e-6)
  np.testing.assert_array_equal(mix.mix(arrays.tf(), own, partner, draws), mixed)


def test_one_weight_for_all_rows_of_an_update_where_the_policy_says_so():
  way = ops.parse("mix('mixup(alpha=1.)', partners='permutation') | normalise()")
  plan = views.ViewPlan(examples=40, unique=8, multiplicity=2, neighbouring=False, shuffle_seed=0,
                        layout='image_major')
  weights = [way.partners(plan, 5, k, plan.update(k), 8, 8)[2] for k in range(20)]
  assert all(len(set(w.tolist())) == 1 for w in weights)
  assert len({w[0] for w in weights}) == 20


@pytest.mark.parametrize('text, message', [
    ("mix('mixup(alpha=0)')", 'alpha=0'), ("mix('mixing()')", "unknown mixing method 'mixing'"),
    ("mix('mixup()', partners='others')", "unknown policy of partners 'others'; allowed: batch"),
    ("mix('mixup')", r"the mix 'mixup' cannot be read.*write mixup\(\)"),
    ('mix()', "op 'mix' needs the key 'text'")])
def test_refuses(text, message):
  with pytest.raises(errors.ConfigError, match=message):
    _mix(text)


@pytest.mark.parametrize('name', methods.METHODS)
def test_every_method_can_be_said_and_says_which_side_it_stands_on(name):
  text = f'mix({name + "()"!r})'
  if methods.METHODS[name].floats:
    with pytest.raises(errors.ConfigError, match='wrong side of normalise'):
      ops.parse(f'{text} | normalise()')
  else:
    assert ops.parse(f'{text} | normalise()').mix.methods
  assert ops.parse(f'normalise() | {text}').mix.methods
