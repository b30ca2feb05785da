"""Where a line has its best, and how far it learns."""

import math

import pytest

from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from tests import made_up
from tests.reporting.claims import simple

FOUR, ONE = simple.FOUR, simple.ONE
_BUDGETS = (16, 32, 64, 128, 256)
_PEAKS = (0.125, 0.25, 0.5, 1.0, 2.0)


def _hills(one, four, steep=3.0):
  """Lines with their best at a budget each, and less by `steep` for each octave."""
  return lambda n, epochs, peak: 70 - steep * abs(math.log2(epochs / (one if n == 1 else four)))


@pytest.mark.parametrize('one, four, steep, outcome', [
    (128, 32, 3, 'holds'), (32, 128, 3, 'does not hold'), (64, 64, 3, 'does not hold'),
    # Flat lines have their best anywhere.
    (128, 32, 0.1, 'not resolved'),
    # The last budget: the best of n = 1 may lie beyond it, which speaks for the claim.
    (256, 64, 3, 'holds'),
    # That of n = 4 may be still larger than that of n = 1.
    (256, 256, 3, 'not resolved'), (16, 16, 3, 'not resolved')])
def test_the_best_at_a_smaller_budget(one, four, steep, outcome):
  value = _hills(one, four, steep)
  check = claims.best_at('smaller', 'epochs', FOUR, ONE)
  assert simple.outcome(check, value, epochs=_BUDGETS) == outcome
  check = claims.best_at('larger', 'epochs', ONE, FOUR)
  assert simple.outcome(check, value, epochs=_BUDGETS) == outcome


def test_a_text_names_the_place_its_edge_and_where_else_it_may_be():
  check = claims.best_at('smaller', 'epochs', FOUR, ONE)
  found = simple.verdict(check, _hills(256, 32), epochs=_BUDGETS)
  assert found.ours == ('best epochs 32 at multiplicity 4; '
                        'best epochs 256 (the last) at multiplicity 1')
  # n = 1 falls short of its best at 32 epochs by 9 points.
  assert found.difference.value == pytest.approx(0.09)
  found = simple.verdict(check, _hills(128, 64, 0.4), epochs=_BUDGETS)
  assert 'best epochs 64, or from 16 to 256, at multiplicity 4' in found.ours


@pytest.mark.parametrize('one, four, steep, outcome', [
    (0.5, 0.5, 3, 'holds'), (0.5, 1.0, 3, 'holds'), (0.125, 1.0, 3, 'does not hold'),
    (0.5, 0.5, 0.3, 'not resolved'), (0.5, 2.0, 3, 'does not hold')])
def test_the_best_at_the_same_rate(one, four, steep, outcome):
  value = lambda n, epochs, peak: 70 - steep * abs(math.log2(peak / (one if n == 1 else four)))
  check = claims.best_at('same', 'peak', FOUR, ONE)
  assert simple.outcome(check, value, peaks=_PEAKS) == outcome


@pytest.mark.parametrize('one, four, larger, no_larger, warmer', [
    (0.25, 1.0, 'holds', 'does not hold', 'holds'), (0.5, 0.5, 'does not hold', 'holds', 'holds'),
    (1.0, 0.25, 'does not hold', 'holds', 'does not hold'),
    # Grids that end before it ends.
    (2.0, 2.0, 'not resolved', 'not resolved', 'not resolved'),
    (0.5, 2.0, 'holds', 'does not hold', 'holds'),
    (2.0, 0.5, 'does not hold', 'holds', 'does not hold')])
def test_how_far_up_a_line_learns(one, four, larger, no_larger, warmer):
  # One that does not learn diverges or has the accuracy of a class.
  def value(n, epochs, peak):
    return 70 if peak <= (one if n == 1 else four) else None if peak > 1 else 1
  # The temperature of n = 4 is 4 times its rate.
  for relation, x, outcome in (('larger', 'peak', larger), ('no larger', 'peak', no_larger),
                               ('larger', 'temperature', warmer)):
    check = claims.stable_to(relation, x, FOUR, ONE)
    assert simple.outcome(check, value, peaks=_PEAKS) == outcome


def test_where_some_runs_learn_and_others_do_not_the_end_is_not_known():
  # Two of five runs of n = 1 learn at 0.5, all of n = 4.
  sweep = experiment_file.Sweep('x', tuple(
      {'multiplicity': n, 'unique': 64, 'epochs': 128, 'peak': peak, 'seed': seed}
      for n in (1, 4) for peak in _PEAKS for seed in range(5)), tune='peak')
  value = lambda cell, metric: 70 if cell['peak'] < 0.5 or cell['peak'] == 0.5 and (
      cell['multiplicity'] == 4 or cell['seed'] < 2) else None
  found = claims.stable_to('larger', 'peak', FOUR, ONE)(made_up.results(sweep, value))
  assert found.outcome == 'not resolved'
  assert 'learns up to peak 0.25, some runs up to 0.5, at multiplicity 1' in found.ours
