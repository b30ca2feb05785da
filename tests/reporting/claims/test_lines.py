"""Lines at common values."""

import pytest

from nfnets_am.reporting import claims
from tests.reporting.claims import simple

FOUR, ONE = simple.FOUR, simple.ONE
_BUDGETS = (32, 64, 128, 256)
_PEAKS = (0.125, 0.25, 0.5, 1.0)


@pytest.mark.parametrize('gaps, outcome', [
    ((2, 2, 2, 2), 'holds'),
    # Over on average, and nowhere under by what counts.
    ((4, 3, -0.5, 0), 'holds'),
    # On average, too, but at one value it is the other way.
    ((4, 4, -2, 4), 'does not hold'),
    ((0.2, 0.3, -0.1, 0.2), 'not resolved'), ((-2, -2, -2, -2), 'does not hold')])
def test_one_line_over_another(gaps, outcome):
  by_budget = dict(zip(_BUDGETS, gaps, strict=True))
  value = lambda n, epochs, peak: 70 + by_budget[epochs] * (n == 4)
  assert simple.outcome(claims.over(FOUR, ONE, 'epochs'), value, epochs=_BUDGETS) == outcome


def test_the_error_of_a_test_set_does_not_shrink_with_the_values():
  value = lambda n, epochs, peak: 70 + 1.2 * (n == 4)
  found = simple.verdict(claims.over(FOUR, ONE, 'epochs'), value, epochs=_BUDGETS)
  assert found.outcome == 'not resolved'
  assert found.difference.sampling == pytest.approx(0.0064, rel=0.02)


def test_single_runs_of_a_loss_are_judged_by_how_they_scatter():
  check = claims.over(FOUR, ONE, 'epochs', 'train/loss')
  for gaps, outcome in (((-0.1, -0.12, -0.09, -0.11), 'holds'),
                        ((-0.1, 0.1, -0.05, 0.02), 'not resolved')):
    by_budget = dict(zip(_BUDGETS, gaps, strict=True))
    value = lambda n, epochs, peak, gaps=by_budget: 2 + gaps[epochs] * (n == 4)
    assert simple.outcome(check, value, epochs=_BUDGETS, seeds=1) == outcome
  # Two values are too few.
  value = lambda n, epochs, peak: 2 - 0.1 * (n == 4)
  assert simple.outcome(check, value, epochs=_BUDGETS[:2], seeds=1) == 'not resolved'


def test_values_that_one_line_lacks_are_left_out():
  # n = 4 at a rate has the temperature of n = 1 at four times the rate.
  value = lambda n, epochs, peak: 70 + 3 * (n == 4) - 30 * (n == 1 and peak == 0.125)
  found = simple.verdict(claims.over(FOUR, ONE, 'temperature'), value, peaks=_PEAKS)
  assert found.outcome == 'holds'
  assert 'at temperature 0.5: +3.00, 1: +3.00' in found.ours
  check = claims.over(FOUR, ONE, 'temperature')
  assert simple.outcome(check, value, peaks=_PEAKS[:2]) == 'not run here'


def test_beyond_the_best_of_the_other():
  # Alike up to 0.25, where n = 1 is best; then it falls, and diverges at last.
  def value(n, epochs, peak):
    if n == 1 and peak > 0.25:
      return None if peak == 1.0 else 68
    return {0.125: 70, 0.25: 73}.get(peak, 72)
  found = simple.verdict(claims.over(FOUR, ONE, 'peak', beyond=True), value, peaks=_PEAKS)
  assert found.outcome == 'holds'
  assert found.ours.endswith('at peak 0.5: +4.00, 1: the other diverged')
  assert simple.outcome(claims.over(ONE, FOUR, 'peak'), value, peaks=_PEAKS) == 'does not hold'
  # Where both learn they are alike, but for one value.
  found = simple.verdict(
      claims.over(FOUR, ONE, 'peak', where_both_learn=True), value, peaks=_PEAKS)
  assert '1:' not in found.ours
  # Nothing is beyond the last value.
  rising = lambda n, epochs, peak: 70 + peak
  assert simple.outcome(
      claims.over(FOUR, ONE, 'peak', beyond=True), rising, peaks=_PEAKS) == 'not resolved'


@pytest.mark.parametrize('spread, outcome', [
    (0, 'holds'), (1.5, 'not resolved'), (4, 'does not hold')])
def test_lines_together_at_the_least_values(spread, outcome):
  # What lies above says nothing.
  value = lambda n, epochs, peak: 70 + (spread if peak < 0.5 else 20) * (n == 4)
  check = claims.together('multiplicity', 'peak', {}, within=2)
  assert simple.outcome(check, value, peaks=_PEAKS) == outcome


def test_values_at_which_nothing_learns_say_nothing():
  # At the least rate all have the accuracy of one class, and one diverged.
  def value(n, epochs, peak):
    return (None if n == 4 else 1) if peak == 0.125 else 70
  check = claims.together('multiplicity', 'peak', {}, within=2)
  found = simple.verdict(check, value, peaks=_PEAKS)
  assert found.outcome == 'holds' and found.ours.startswith(
      'from the highest to the lowest line at peak 0.25: 0.00%, 0.5: 0.00%')
  # Where one learns and the other does not they lie apart.
  for bad in (1, None):
    value = lambda n, epochs, peak, bad=bad: bad if n == 4 and peak == 0.125 else 70
    assert simple.outcome(check, value, peaks=_PEAKS) == 'does not hold'
