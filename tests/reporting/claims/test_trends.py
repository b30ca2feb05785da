"""Cells in order."""

import pytest

from nfnets_am.reporting import claims
from tests.reporting.claims import simple


@pytest.mark.parametrize('values, outcome', [
    # Neighbours need not be told apart.
    ((70, 71, 72, 73), 'holds'),
    ((70, 73, 72.5, 73), 'holds'),
    ((73, 72, 71, 70), 'does not hold'),
    ((70, 70.2, 70.1, 70.3), 'not resolved'),
    # The ends say so, a step says that it is not so.
    ((70, 76, 72, 74), 'does not hold'),
    # The ends alone would not.
    ((70, 72, 72, 71), 'not resolved')])
def test_a_rise_is_one_of_the_ends_and_of_the_line(values, outcome):
  ns = (1, 2, 4, 8)
  check = claims.rises('multiplicity', ns)
  assert simple.outcome(check, simple.of_n(dict(zip(ns, values, strict=True))), ns=ns) == outcome


def test_the_slope_is_for_each_doubling():
  ns = (1, 2, 8)
  found = simple.verdict(claims.rises('multiplicity', ns), simple.of_n({1: 70, 2: 72, 8: 76}),
                         ns=ns)
  assert '2.00% for each doubling' in found.ours
