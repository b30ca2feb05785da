"""What an update costs on a described TPU: counted off the traced program, or compiled for it.

Counted: operations of the program over the published peak, times the share of the peak that
DeepMind's published step times reach. Compiled: XLA's own bound, or a roofline of what it answers,
times what those steps took beyond it (calibration.py). All are estimates of the step alone, and no
step takes less than a floor (chips.py).
"""

from collections.abc import Callable
import dataclasses
import functools
import json
from typing import Any

import jax

from launch import calibration
from launch import chips
from nfnets_am.core import errors
from nfnets_am.costs import aot
from nfnets_am.costs import counting
from nfnets_am.data import ops

# What is left of a v3 core's 16 GiB for a program, which the compiler says when it has no room; the
# same share is taken elsewhere.
USABLE = 15.48 / 16
# Recomputing blocks is forward once more.
_REMAT = 1

# Milliseconds of one CPU core per unique image and per view, measured on one machine; see
# docs/performance.md, and `python -m nfnets_am.data` for a config's own.
_DECODE_MS, _RESIZE_MS, _RANDAUGMENT_MS, _HOST_MS, _DEVICE_MS = 1.2, 0.8, 4.5, 0.014, 0.005


@dataclasses.dataclass(frozen=True)
class Estimate:
  """An update on one device.

  Attributes:
    how: 'counted', or of a compiled step 'compiled' or 'roofline', see calibration.expected.
    busy_ms: expected time of the work, calibrated.
    floor_ms: that an update takes however little work it is.
    tflop: 10^12 operations.
    least_gib, most_gib: memory; one number when compiled. Counted, `most` keeps all that the
      backward pass reads, `least` only the inputs of the blocks: XLA is somewhere between.
    note: what the compiler said when it had no room, why it did not compile, or why its bound is
      not taken.
  """

  how: str
  busy_ms: float
  floor_ms: float
  tflop: float
  least_gib: float
  most_gib: float
  note: str = ''

  @property
  def ms(self) -> float:
    """Expected time of an update."""
    return max(self.busy_ms, self.floor_ms)

  def fits(self, chip: chips.Chip) -> str:
    """Returns 'yes', 'tight' (only if the compiler recomputes, so compile it) or 'no'."""
    room = chip.device_gib * USABLE
    if self.least_gib > room:
      return 'no'
    return 'yes' if self.most_gib <= room else 'tight'


def counted(step: aot.Step, chip: chips.Chip, floor_ms: float | None = None) -> Estimate:
  """Estimates a step without compiling it.

  Args:
    step: of one device.
    chip: of which that is one.
    floor_ms: that an update takes at least; None is the chip's.

  Raises:
    ConfigError: no such model or argument.
  """
  macs, state_bytes, kept, kept_least = _counts_of(step)
  passes = 1 + calibration.BACKWARD + _REMAT * bool(step.sections.get('model.remat'))
  passes *= 1 + step.sections.get('ascent.fraction', 0)
  tflop = 2 * passes * macs * step.per_device / 1e12
  rows = step.per_device / step.sections.get('accumulate', 1)
  width = 2 if step.sections.get('dtype') == 'float32' else 1
  # However small the batch, the update itself reads and writes the state.
  state_ms = 2e-6 * state_bytes / (chip.memory_gbs / chip.devices)
  return Estimate(
      how='counted', tflop=tflop,
      busy_ms=max(state_ms, 1e3 * tflop / (chip.device_tflops * calibration.mean(
          calibration.share_of_peak()))),
      floor_ms=chip.floor_ms if floor_ms is None else floor_ms,
      least_gib=(state_bytes + kept_least * rows * width) / 2**30,
      most_gib=(state_bytes + kept * rows * width) / 2**30)


def compiled(step: aot.Step, chip: chips.Chip, cache: str, floor_ms: float | None = None, *,
             limit_s: float = 0.0, waits: Callable[[float], None] = lambda seconds: None
             ) -> Estimate:
  """Estimates a step by compiling it; one that has no room keeps its counted time.

  One that cannot be compiled here, or not in time, is counted: the rest of a sweep is not lost for
  it.

  Args:
    step: of one device.
    chip: of which that is one.
    cache: folder of answers.
    floor_ms: as of `counted`.
    limit_s, waits: as of aot.cost.

  Raises:
    UserError: libtpu is missing.
  """
  try:
    cost = aot.cost(step, cache, limit_s=limit_s, waits=waits)
    found = calibration.expected(cost, chip)
  except errors.UserError as e:
    if not aot.is_available():
      raise
    if aot.NO_ROOM not in str(e):
      return dataclasses.replace(counted(step, chip, floor_ms), note=f'counted; {e}')
    room = chip.device_gib
    return dataclasses.replace(
        counted(step, chip, floor_ms), how='compiled', least_gib=room, most_gib=room,
        note=str(e)[:120])
  return Estimate(how=found.how, busy_ms=found.ms, note=found.note,
                  floor_ms=chip.floor_ms if floor_ms is None else floor_ms, tflop=cost.tflop,
                  least_gib=cost.peak_gib, most_gib=cost.peak_gib)


def input_ms(data: Any, unique: int, views: int) -> float:
  """Returns what the input of an update costs, in milliseconds of one CPU core.

  Args:
    data: the config's section `data`.
    unique, views: in the update.
  """
  way = ops.parse(data.augment)
  if not way.crop:
    return views * (_DEVICE_MS if data.apply == 'device' else _HOST_MS)
  decoded, made = unique, views
  if way.mix and way.mix.partners == 'fresh':
    decoded, made = 2 * unique, 2 * views
  augmented = any(isinstance(op, ops.RandAugment) for op in way.ops.values())
  return (decoded * _DECODE_MS + made * _RESIZE_MS
          + views * _RANDAUGMENT_MS * (augmented and data.apply == 'host'))


def _counts_of(step: aot.Step) -> tuple[int, int, int, int]:
  """Returns what `_counts` does, traced once: what a row costs is the same on all slices."""
  whole = dataclasses.replace(step, topology='')
  one = dataclasses.replace(whole, per_device=step.sections.get('accumulate', 1))
  try:
    return _counts(json.dumps(dataclasses.asdict(one)))
  except errors.ConfigError:  # A part of a device's rows, say, of which there is but one now.
    return _counts(json.dumps(dataclasses.asdict(whole)))


@functools.cache
def _counts(request: str) -> tuple[int, int, int, int]:
  """Returns multiply-adds and kept bytes of a row, all and least, and the bytes of the state."""
  step = aot.Step(**json.loads(request))
  experiment = aot.experiment_of(step, 1)
  size, channels = step.image_shape[0], step.image_shape[-1]
  state = jax.eval_shape(experiment.init)
  tree_bytes = lambda tree: sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))
  # The gradient, and with SAM the weights at the end of the ascent too.
  state_bytes = tree_bytes(state) + tree_bytes(state.params) * (
      2 if step.sections['ascent.name'] != 'none' else 1)
  kept = counting.activation_bytes(experiment.model, size, channels)
  least = kept
  try:
    again = dataclasses.replace(step, sections={**step.sections, 'model.remat': True})
    least = counting.activation_bytes(aot.experiment_of(again, 1).model, size, channels)
  except errors.ConfigError:
    pass  # This model cannot recompute its blocks.
  return (counting.forward_macs(experiment.model, size, channels), state_bytes, kept,
          min(kept, least))
