"""What the estimates of a step rest on: published step times of v3, and what XLA says of the same.

v3 is the one generation whose published times can be held against counted operations, XLA's bound
and a roofline. What they say there is taken to hold elsewhere: of v3 an estimate is calibrated, of
all others it is scaled.
"""

from collections.abc import Mapping
import dataclasses
import math
from typing import NamedTuple

from launch import chips
from nfnets_am.core import errors
from nfnets_am.costs import aot

# DeepMind's published step times of NFNets on TPUv3, 32 images on a core (Brock et al. 2021b, table
# 5), in ms, and 10^9 multiply-adds of a forward pass at the training size (docs/models.md).
PUBLISHED = {
    'nfnet_f0': (73.3, 6.99), 'nfnet_f1': (158.5, 17.46), 'nfnet_f2': (295.8, 33.17),
    'nfnet_f3': (532.2, 67.99), 'nfnet_f4': (1033.3, 121.18), 'nfnet_f5': (1398.5, 169.56)}
# Backward is twice forward.
BACKWARD = 2
_IMAGES = 32
_GENERATION = 'v3'


class Answer(NamedTuple):
  """What XLA answers of a step, as aot.Cost has it."""
  ms: float
  tflop: float
  accessed_gib: float
  peak_gib: float
  mega_cycles: float = 0.0

  @property
  def moved_gib(self) -> float:
    """Of v3, whose cores hold no whole arrays."""
    return self.accessed_gib


# A plain port of the published model and optimiser, compiled for v3 (docs/performance.md).
PORT = {
    'nfnet_f0': Answer(39.0, 1.319, 11.23, 1.93),
    'nfnet_f3': Answer(295.4, 12.95, 68.6, 11.23),
    'nfnet_f5': Answer(834.1, 40.23, 173.5, 14.43),
}

# The step of this project, where the compiler's cycles were summed too.
OWN = {
    'nfnet_f0': Answer(38.02, 1.318, 11.05, 1.875, 51.99),
    'nfnet_f1': Answer(85.57, 3.293, 22.95, 3.827, 111.69),
    'nfnet_f2': Answer(150.7, 6.274, 38.03, 6.334, 189.79),
    'nfnet_f3': Answer(282.4, 12.93, 65.59, 10.97, 342.72),
    'nfnet_f4': Answer(502.0, 24.02, 112.2, 13.79, 604.89),
    'nfnet_f5': Answer(758.4, 37.23, 165.1, 14.19, 917.06),
}
# A bound is of v3's kind if XLA counts few bytes but those of the main memory: there 1.1 times as
# many, as an operand that is read twice counts twice; on v5e 4 times and more.
_COUNTED_TWICE = 1.5


@dataclasses.dataclass(frozen=True)
class Expected:
  """What a compiled step is expected to take.

  Attributes:
    ms: on one device.
    how: 'compiled' by XLA's bound, 'cycles' by the compiler's, 'roofline' by operations and bytes.
    note: why the bound is not taken, or ''.
  """

  ms: float
  how: str
  note: str = ''


def share_of_peak() -> dict[str, float]:
  """Returns what share of a v3 core's peak each published step reaches, by counted operations."""
  peak = chips.CHIPS[_GENERATION].device_tflops
  return {name: 2 * (1 + BACKWARD) * macs * 1e9 * _IMAGES / (ms / 1e3) / (peak * 1e12)
          for name, (ms, macs) in PUBLISHED.items()}


def share_of_bound() -> dict[str, float]:
  """Returns XLA's bound over the published time, of the steps that were compiled."""
  return {name: answer.ms / PUBLISHED[name][0] for name, answer in PORT.items()}


def share_of_roofline() -> dict[str, float]:
  """Returns the roofline of the same steps over their published times."""
  chip = chips.CHIPS[_GENERATION]
  return {name: roofline_ms(answer, chip) / PUBLISHED[name][0] for name, answer in PORT.items()}


def share_of_cycles() -> dict[str, float]:
  """Returns the time of the compiler's cycles over the published time."""
  chip = chips.CHIPS[_GENERATION]
  return {name: cycles_ms(answer, chip) / PUBLISHED[name][0] for name, answer in OWN.items()}


def mean(shares: Mapping[str, float]) -> float:
  """Returns the mean share."""
  return sum(shares.values()) / len(shares)


def roofline_ms(cost: aot.Cost | Answer, chip: chips.Chip) -> float:
  """Returns what a step takes at least: its operations at the peak, or its bytes at full width."""
  computing = cost.tflop / chip.device_tflops
  moving = cost.moved_gib * 2**30 / (chip.memory_gbs / chip.devices * 1e9)
  return 1e3 * max(computing, moving)


def cycles_ms(cost: aot.Cost | Answer, chip: chips.Chip) -> float:
  """Returns the time of the compiler's cycles, which leave out all-reduces."""
  return 1e3 * cost.mega_cycles / chip.mhz


def expected(cost: aot.Cost | Answer, chip: chips.Chip) -> Expected:
  """Returns what a compiled step is expected to take.

  XLA's bound counts where it can be one: one that is not finite or below the roofline is none, and
  neither is one that takes the core's own memory for the main one. Then the compiler's cycles
  count, and where it stated none, or too few, the roofline.

  Args:
    cost: what XLA answered for a device.
    chip: of which that is one.

  Raises:
    UserError: its operations or bytes are no numbers over 0, so that there is no roofline.
  """
  counts = {'TFLOP': cost.tflop, 'GiB accessed': cost.accessed_gib, 'GiB moved': cost.moved_gib}
  for what, value in counts.items():
    if not (math.isfinite(value) and value > 0):
      raise errors.UserError(f'XLA answers {value:.3g} {what}, which no step has')
  least, cycles = roofline_ms(cost, chip), cycles_ms(cost, chip)
  if not (math.isfinite(cost.ms) and cost.ms >= least):
    why = (f'cannot be one: {cost.tflop:.3g} TFLOP and {cost.moved_gib:.3g} GiB take '
           f'{least:.3g} ms at the least')
  elif cost.accessed_gib > _COUNTED_TWICE * cost.moved_gib:
    why = (f'counts {cost.accessed_gib:.3g} GiB, of which {cost.moved_gib:.3g} are in the main '
           'memory')
  else:
    return Expected(cost.ms / mean(share_of_bound()), 'compiled')
  found = (Expected(cycles / mean(share_of_cycles()), 'cycles') if cycles >= least else
           Expected(least / mean(share_of_roofline()), 'roofline'))
  taken = {'cycles': f"the compiler's cycles, {cycles:.3g} ms, are", 'roofline': 'the roofline is'}
  return dataclasses.replace(
      found, note=f"XLA's bound, {cost.ms:.3g} ms, {why}; {taken[found.how]} taken in its place")


def basis(chip: chips.Chip) -> str:
  """Returns 'calibrated' for the generation with published times, 'scaled' for all others."""
  return 'calibrated' if chip is chips.CHIPS[_GENERATION] else 'scaled'
