"""Two cells, and two gaps."""

import pytest

from nfnets_am.reporting import claims
from tests.reporting.claims import simple

FOUR, ONE = simple.FOUR, simple.ONE


@pytest.mark.parametrize('more, outcome', [
    (2, 'holds'), (0.5, 'not resolved'), (0, 'not resolved'), (-0.5, 'not resolved'),
    (-2, 'does not hold')])
def test_better_is_what_counts(more, outcome):
  value = simple.of_n({1: 70, 4: 70 + more})
  assert simple.outcome(claims.better(FOUR, ONE), value) == outcome
  assert simple.outcome(claims.worse(ONE, FOUR), value) == outcome
  # Single runs: the test set's error is there all the same.
  assert simple.outcome(claims.better(FOUR, ONE), value, seeds=1) == outcome


def test_a_margin_must_be_exceeded_by_what_counts():
  for more, outcome in ((7, 'holds'), (5.5, 'not resolved'), (3, 'does not hold')):
    assert simple.outcome(
        claims.better(FOUR, ONE, by=5), simple.of_n({1: 70, 4: 70 + more})) == outcome
  for more, outcome in ((0, 'holds'), (-2, 'not resolved'), (-4, 'does not hold')):
    assert simple.outcome(
        claims.not_worse(FOUR, ONE, 2), simple.of_n({1: 70, 4: 70 + more})) == outcome


def test_low_values_of_a_loss_are_better():
  value = simple.of_n({1: 2.0, 4: 1.0})
  assert simple.outcome(claims.better(FOUR, ONE, 'train/loss'), value) == 'holds'
  # Of a loss on all training images a single run has no error that is known.
  assert simple.outcome(claims.better(FOUR, ONE, 'train/loss'), value, seeds=1) == 'not resolved'


def test_a_verdict_carries_what_decided():
  found = simple.verdict(claims.better(FOUR, ONE), simple.of_n({1: 70, 4: 72})).difference
  assert (found.value, found.runs) == (pytest.approx(0.02), 5)
  assert found.sampling == pytest.approx(((0.7 * 0.3 + 0.72 * 0.28) / 10_000) ** 0.5, rel=1e-3)
  both = claims.all_of(claims.better(FOUR, ONE), claims.better(FOUR, ONE, by=1.9))
  verdict = simple.verdict(both, simple.of_n({1: 70, 4: 72}))
  assert verdict.outcome == 'not resolved'
  assert verdict.difference.value == pytest.approx(0.001)
  # What both say stands there once.
  assert verdict.ours.count('at multiplicity 4') == 1


@pytest.mark.parametrize('values, plain, either_way', [
    ({1: 70, 4: 75, 16: 75.2}, 'holds', 'holds'),
    ({1: 70, 4: 72, 16: 78}, 'does not hold', 'does not hold'),
    ({1: 70, 4: 72, 16: 73.5}, 'not resolved', 'not resolved'),
    # The second gap is 8 the other way.
    ({1: 70, 4: 72, 16: 64}, 'holds', 'does not hold')])
def test_a_gap_that_is_smaller_than_another(values, plain, either_way):
  pairs = ({'multiplicity': 16}, FOUR), (FOUR, ONE)
  for either, outcome in ((False, plain), (True, either_way)):
    assert simple.outcome(claims.smaller_gap(*pairs, either), simple.of_n(values),
                          ns=(1, 4, 16)) == outcome
  found = simple.verdict(claims.smaller_gap(*pairs), simple.of_n(values), ns=(1, 4, 16))
  # n = 4 is in both gaps and counts twice: 2^2 + 1 + 1 variances.
  assert found.difference.sampling == pytest.approx(0.0045 * 6**0.5, rel=0.05)


@pytest.mark.parametrize('ratio, outcome', [
    (1.0, 'holds'), (1.3, 'holds'), (1.5, 'not resolved'), (2.0, 'does not hold'),
    (0.5, 'does not hold')])
def test_within_a_factor(ratio, outcome):
  check = claims.within_factor(FOUR, ONE, 1.5, 'train/loss')
  assert simple.outcome(check, simple.of_n({1: 1.0, 4: ratio})) == outcome


def test_of_several_the_one_that_fails_decides():
  fails, opens, holds = (claims.better(FOUR, ONE, by=by) for by in (9, 2, 0))
  here = claims.not_run_here('nobody has it')
  value = simple.of_n({1: 70, 4: 72})
  for checks, outcome in (((holds, opens, here, fails), 'does not hold'),
                          ((holds, opens, here), 'not run here'),
                          ((holds, opens), 'not resolved'), ((holds,), 'holds')):
    assert simple.outcome(claims.all_of(*checks), value) == outcome
