"""Numbers that someone printed, and how soon an accuracy is reached."""

import pytest

from nfnets_am.reporting import claims
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import outcomes
from nfnets_am.sweeps import reduction
from tests import made_up
from tests.reporting.claims import simple

FOUR, ONE = simple.FOUR, simple.ONE


@pytest.mark.parametrize('top, outcome', [
    (72, 'holds'), (70.0, 'holds'), (69.5, 'not resolved'), (68, 'does not hold')])
def test_a_level_is_reached_or_missed_by_what_counts(top, outcome):
  value = simple.of_n({1: top, 4: top})
  # 5 of 5 runs, whose mean is the top.
  assert simple.outcome(claims.reaches(FOUR, 69.99), value) == outcome


@pytest.mark.parametrize('top, outcome', [
    (72, 'holds'), (71, 'not resolved'), (69, 'not resolved'), (68, 'does not hold')])
def test_what_others_print_has_the_error_of_the_test_set_too(top, outcome):
  found = simple.verdict(claims.beats(FOUR, 70.0), simple.of_n({1: 1, 4: top}))
  assert found.outcome == outcome
  shares = (top / 100, 0.7)
  assert found.difference.sampling == pytest.approx(
      (sum(p * (1 - p) for p in shares) / 10_000) ** 0.5, rel=1e-2)


@pytest.mark.parametrize('four, outcome', [
    ({32: 73, 128: 76}, 'holds'), ({32: 66, 128: 76}, 'does not hold'),
    ({32: 70.5, 128: 76}, 'not resolved')])
def test_better_without_more_updates(four, outcome):
  # With the unique images growing n = 4 has the same updates; n = 1 is best after 64 epochs.
  one = {32: 69, 64: 70, 128: 68}
  value = lambda n, epochs, peak: one[epochs] if n == 1 else four.get(epochs, 60)
  check = claims.no_dearer(FOUR, ONE, 'updates')
  assert simple.outcome(check, value, epochs=(32, 64, 128)) == outcome
  # Nothing of n = 4 is as cheap as the best of n = 1.
  value = lambda n, epochs, peak: 70 - epochs / 100
  cells = [(1, 32), (4, 64)]
  sweep = experiment_file.Sweep('x', tuple(
      {'multiplicity': n, 'unique': 64, 'epochs': e, 'seed': 0} for n, e in cells))
  found = check(made_up.results(sweep, lambda cell, metric: value(1, cell['epochs'], 0)))
  assert found.outcome == 'not resolved' and 'no cell of multiplicity 4 has as few' in found.ours


def _courses(courses):
  """Results of cells {n: {epochs: accuracy}}, whose runs were evaluated on the way."""
  cells = []
  for n, course in courses.items():
    end = max(course)
    run = outcomes.RunResult({'multiplicity': n, 'seed': 0}, 'finished', derived={
        'epochs': float(end), 'updates': 100 * end, 'updates_per_epoch': 100.0, 'views': 64},
                             final={'test/top1': course[end] / 100})
    run.__dict__['history'] = {
        'test/top1': [(100 * epochs, top / 100) for epochs, top in course.items()]}
    summary = reduction.Summary(course[end] / 100, 0.0, 1, 10_000)
    cells.append(reduction.Cell({'multiplicity': n}, (run,), {'test/top1': summary},
                                {'test/top1': summary.mean}))
  return reduction.Results(experiment_file.Sweep('x', ()), tuple(cells))


@pytest.mark.parametrize('one, four, outcome', [
    # n = 1 needs 300 epochs, n = 4 comes to it after 30.
    ({100: 60, 200: 66, 300: 70}, {15: 60, 30: 74}, 'holds'),
    # n = 1 was level with its best after 100: the budget was the design's, not needed.
    ({100: 69.9, 200: 69.8, 300: 70}, {15: 60, 30: 74}, 'not resolved'),
    ({100: 60, 200: 66, 300: 70}, {15: 60, 30: 66}, 'does not hold'),
    # It does reach it, too late.
    ({100: 60, 200: 66, 300: 70}, {15: 60, 30: 66, 60: 74}, 'does not hold'),
    ({100: 60, 200: 66, 300: 70}, {15: 60, 30: 70.3}, 'not resolved')])
def test_a_tenth_of_the_epochs_is_judged_by_when_an_accuracy_is_reached(one, four, outcome):
  check = claims.sooner(FOUR, ONE, factor=10)
  assert check(_courses({1: one, 4: four})).outcome == outcome
