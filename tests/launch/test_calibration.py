"""XLA's bound counts where it can be one, else cycles or a roofline do. Numbers are made up."""

import dataclasses
import math

import pytest

from launch import calibration
from launch import chips
from nfnets_am.core import errors
from nfnets_am.costs import aot

_V3, _V5E = chips.CHIPS['v3'], chips.CHIPS['v5litepod']


def _answer(ms, tflop=1.0, moved=1.0, accessed=0.0, mega_cycles=0.0):
  return aot.Cost(ms=ms, tflop=tflop, accessed_gib=accessed or moved, moved_gib=moved,
                  mega_cycles=mega_cycles, peak_gib=1.0, all_reduced_mib=1.0, seconds=1.0)


def test_the_roofline_of_one_device_by_hand():
  # v5e: 197 TFLOPS and 819 GB/s for its one device; a v3 core has half of 123 and of 900.
  assert calibration.roofline_ms(_answer(0, 0.197, 0.001), _V5E) == pytest.approx(1.0)
  gib = 0.819 * 1e9 / 2**30
  assert calibration.roofline_ms(_answer(0, 0.001, 7 * gib), _V5E) == pytest.approx(7.0)
  assert calibration.roofline_ms(_answer(0, 0.123, 0.001), _V3) == pytest.approx(2.0)
  assert calibration.roofline_ms(_answer(0, 0.001, 0.9 * 1e9 / 2**30), _V3) == pytest.approx(2.0)


def test_on_v3_both_are_known_and_the_bound_is_above_the_roofline():
  for name, answer in calibration.PORT.items():
    assert 1 < answer.ms / calibration.roofline_ms(answer, _V3) < 1.6
    found = calibration.expected(answer, _V3)
    assert found.how == 'compiled' and not found.note
    published = calibration.PUBLISHED[name][0]
    assert found.ms == pytest.approx(published, rel=0.1)
    # Without a bound the same step is expected to take nearly the same.
    without = calibration.expected(answer._replace(ms=math.nan), _V3)
    assert without.how == 'roofline' and without.ms == pytest.approx(published, rel=0.2)
  # The means are those of which a plan speaks.
  assert calibration.mean(calibration.share_of_roofline()) == pytest.approx(0.410, abs=2e-3)


@pytest.mark.parametrize('ms', [-3.19e5, 0.0, math.inf, math.nan, -math.inf, 0.999])
def test_a_bound_that_cannot_be_one_is_not_taken(ms):
  # One millisecond of operations.
  answer = _answer(ms, 0.197, 0.001)
  found = calibration.expected(answer, _V5E)
  assert found.how == 'roofline'
  assert found.ms == pytest.approx(1 / calibration.mean(calibration.share_of_roofline()))
  assert f'{ms:.3g} ms, cannot be one' in found.note and '1 ms at the least' in found.note


def test_a_bound_at_the_roofline_is_taken():
  found = calibration.expected(_answer(1.001, 0.197, 0.001), _V5E)
  assert found.how == 'compiled'
  assert found.ms == pytest.approx(1.001 / calibration.mean(calibration.share_of_bound()))


def test_cycles_count_where_the_bound_takes_one_memory_for_the_other():
  # 1.5 million cycles of v5e are 1 ms, and the bytes of the main memory a fifth of one.
  gib = 0.819 * 1e9 / 2**30 / 5
  found = calibration.expected(_answer(2.0, 0.001, gib, 1.6 * gib, mega_cycles=1.5), _V5E)
  assert found.how == 'cycles'
  assert found.ms == pytest.approx(1 / calibration.mean(calibration.share_of_cycles()))
  assert "the compiler's cycles, 1 ms, are taken" in found.note
  # What counts little else than the main memory is v3's kind of bound.
  found = calibration.expected(_answer(2.0, 0.001, gib, 1.4 * gib, mega_cycles=1.5), _V5E)
  assert found.how == 'compiled' and not found.note
  # Cycles below the roofline are no time either.
  found = calibration.expected(_answer(2.0, 0.001, gib, 1.6 * gib, mega_cycles=0.29), _V5E)
  assert found.how == 'roofline'
  assert found.ms == pytest.approx(0.2 / calibration.mean(calibration.share_of_roofline()))


def test_cycles_of_the_published_machine_are_below_its_times():
  assert calibration.share_of_cycles() == pytest.approx({
      'nfnet_f0': 0.755, 'nfnet_f1': 0.750, 'nfnet_f2': 0.683, 'nfnet_f3': 0.685,
      'nfnet_f4': 0.623, 'nfnet_f5': 0.698}, rel=1e-3)


@pytest.mark.parametrize('changes', [
    {'tflop': 0.0}, {'tflop': math.nan}, {'accessed_gib': -2.0}, {'accessed_gib': math.inf},
    {'moved_gib': 0.0}])
def test_without_operations_or_bytes_there_is_no_roofline(changes):
  with pytest.raises(errors.UserError, match='which no step has'):
    calibration.expected(dataclasses.replace(_answer(5.0), **changes), _V5E)


def test_only_the_generation_of_the_published_times_is_calibrated():
  assert [name for name, chip in chips.CHIPS.items()
          if calibration.basis(chip) == 'calibrated'] == ['v3']
