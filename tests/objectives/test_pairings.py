"""Pairings of logits: values and gradients in closed form (pitfalls P64, P66)."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.core import errors
from nfnets_am.objectives import pairings

_CLEAN, _MOVED = jnp.array([[2.0, -1, 0]]), jnp.array([[1.0, 0, 0]])


def _logits(rows=4, classes=5, seed=0):
  return np.random.default_rng(seed).normal(size=(2, rows, classes))


def _found(text, loss, clean, moved):
  """(value, gradients by the loss and both logits, the pairing's own value)."""
  pair = pairings.parse(text)
  (value, own), slopes = jax.value_and_grad(pair, argnums=(0, 1, 2), has_aux=True)(
      jnp.float32(loss), jnp.float32(clean), jnp.float32(moved))
  return value, slopes, own


def test_the_reductions_of_squared_pairing():
  for text, expected in (("squared(coefficient=1.0, reduction='sum')", 2),
                         ('squared(coefficient=1.0)', 2 / 3),
                         ("squared(coefficient=0.5, reduction='sum')", 1)):
    value, _, _ = _found(text, 0.0, _CLEAN, _MOVED)
    assert float(value) == pytest.approx(expected)
  # Over rows it is always a mean.
  value, _, own = _found("squared(coefficient=0.5, reduction='sum')", 3.0,
                         np.repeat(_CLEAN, 4, 0), np.repeat(_MOVED, 4, 0))
  assert (float(value), float(own)) == pytest.approx((4, 2))


@pytest.mark.parametrize('reduction, per', [('mean', 4 * 5), ('sum', 4)])
def test_squared_pairing_draws_both_logits(reduction, per):
  clean, moved = _logits()
  _, slopes, _ = _found(f"squared(coefficient=5.0, reduction='{reduction}')", 1.0, clean, moved)
  expected = 5 * 2 * (clean - moved) / per
  assert float(slopes[0]) == 1
  np.testing.assert_allclose(slopes[1], expected, rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(slopes[2], -expected, rtol=1e-4, atol=1e-6)


def _cross_entropy(clean, moved):
  """h and its gradients by both logits, in float64."""
  log_p, log_q = (x - np.log(np.exp(x).sum(-1, keepdims=True)) for x in (clean, moved))
  p, q = np.exp(log_p), np.exp(log_q)
  rows = -(p * log_q).sum(-1, keepdims=True)
  return rows.mean(), p * (-log_q - rows) / len(p), (q - p) / len(p)


@pytest.mark.parametrize('reading, of_loss, of_h', [
    ('ratio', 1.0, 1 / 0.125), ('shares', 0.125, 1 - 0.125), ('fraction', 1.0, 0.125)])
def test_decoupled_pairing_in_its_readings(reading, of_loss, of_h):
  (clean, moved), loss, beta = _logits(), 2.0, 0.01
  value, slopes, own = _found(
      f"decoupled(ratio=0.125, beta={beta}, reading='{reading}')", loss, clean, moved)
  h, h_clean, h_moved = _cross_entropy(clean, moved)
  norms = beta * (np.square(clean).sum() + np.square(moved).sum()) / len(clean)
  assert float(own) == pytest.approx(h, rel=1e-5)
  # Both terms have the loss's value before they are weighed.
  assert float(value) == pytest.approx((of_loss + of_h) * loss + norms, rel=1e-5)
  # The scale loss / h is a number: nothing flows through it.
  assert float(slopes[0]) == pytest.approx(of_loss)
  scale = of_h * loss / h
  for slope, own_slope, logits in ((slopes[1], h_clean, clean), (slopes[2], h_moved, moved)):
    np.testing.assert_allclose(
        slope, scale * own_slope + 2 * beta * logits / len(clean), rtol=1e-4, atol=1e-5)


def test_a_decoupled_pairing_may_draw_the_adversarial_logits_alone():
  (clean, moved), loss = _logits(), 2.0
  found, both = (_found(f'decoupled(ratio=0.5, beta=0.0{to})', loss, clean, moved)
                 for to in (", to='adversarial'", ''))
  assert float(found[0]) == float(both[0])
  assert not np.asarray(found[1][1]).any() and np.asarray(both[1][1]).any()
  np.testing.assert_array_equal(found[1][2], both[1][2])


def test_the_literal_reading_is_the_default():
  (clean, moved) = _logits()
  plain, literal = (_found(f'decoupled(ratio=0.5, beta=0.0{more})', 1.5, clean, moved)[0]
                    for more in ('', ", reading='ratio'"))
  assert float(plain) == float(literal) == pytest.approx(1.5 + 1.5 / 0.5)


def test_equal_certain_distributions_have_nothing_to_pair():
  certain = np.array([[200.0, 0, 0]])
  value, slopes, own = _found('decoupled(ratio=0.125, beta=0.0)', 1.0, certain, certain)
  assert (float(value), float(own)) == (1, 0)
  assert all(np.isfinite(slope).all() for slope in slopes)


def test_squeezing_is_the_mean_over_rows_of_squared_norms():
  clean, moved = _logits()
  assert float(pairings.squares(jnp.float32(clean))) == pytest.approx(
      np.square(clean).sum(1).mean(), rel=1e-6)
  assert float(pairings.squares(*jnp.float32((clean, moved)))) == pytest.approx(
      np.square(clean).sum(1).mean() + np.square(moved).sum(1).mean(), rel=1e-6)


@pytest.mark.parametrize('text, sentence', [
    ('squared()', "needs the key 'coefficient'"), ('sqared()', "did you mean 'squared'"),
    ('squared(coefficient=-1)', r'squared\(coefficient=-1\); allowed: a number of at least 0'),
    ("squared(coefficient=1, reduction='max')", "unknown reduction 'max'"),
    ('decoupled(ratio=0, beta=0)', r'decoupled\(ratio=0\); allowed: more than 0 to 1'),
    ('decoupled(ratio=0.5, beta=-1)', r'decoupled\(beta=-1\)'),
    ("decoupled(ratio=0.5, beta=0, reading='odds')", 'allowed: fraction, ratio, shares'),
    ('squared(coefficient=1) | squared(coefficient=1)', 'is 2 calls')])
def test_what_makes_no_pairing_is_one_sentence(text, sentence):
  with pytest.raises(errors.ConfigError, match=sentence):
    pairings.parse(text)
