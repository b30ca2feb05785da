"""Where the seconds of a start go: each instant counts once."""

import random

import pytest

from benchmarks import startup


def test_an_instant_counts_for_the_innermost_stage():
  intervals = [(0.0, 1.0, 'python'), (2.0, 8.0, 'data'), (3.0, 5.0, 'imports'), (9.0, 20.0, 'cut')]
  assert startup.attribute(intervals, 10.0) == {
      'python': 1.0, 'data': 4.0, 'imports': 2.0, 'cut': 1.0, 'first update, and the rest': 2.0}


@pytest.mark.parametrize('seed', range(5))
def test_no_second_is_lost_or_counted_twice(seed):
  rng = random.Random(seed)

  def nested(begin, end, depth):
    yield begin, end, rng.choice('abc')
    if depth:
      times = sorted(rng.uniform(begin, end) for _ in range(4))
      yield from nested(times[0], times[1], depth - 1)
      yield from nested(times[2], times[3], depth - 1)

  intervals = list(nested(3.0, 10.0, 4))
  rng.shuffle(intervals)
  assert sum(startup.attribute(intervals, 12.0).values()) == pytest.approx(9.0)
