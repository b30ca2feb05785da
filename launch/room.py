"""What makes room for a run that does not fit on a TPU: flags, to be given as they are printed.

Said with --set they are for all runs of the sweep, so they are those that every run of it takes.
"""

from collections.abc import Sequence
import math
from typing import Any

from launch import chips
from launch import costs
from nfnets_am.training import sections


def advice(estimate: costs.Estimate, tpu: chips.Slice, rows: Sequence[Any]) -> str:
  """Returns what there is to say about the memory of runs, '' if nothing.

  Args:
    estimate: of theirs.
    tpu: to run on.
    rows: of the whole plan, see plan.Row.
  """
  room = tpu.chip.device_gib * costs.USABLE
  fits = estimate.fits(tpu.chip)
  if fits == 'yes':
    return estimate.note
  ways = ' or '.join(flags(max(2, math.ceil(estimate.most_gib / room)), rows))
  if fits == 'tight':
    return (f'needs up to {estimate.most_gib:.1f} GiB of {room:.1f} unless XLA recomputes; '
            f'{estimate.note or "--mode=compiled says whether it does"}'
            + (f', and {ways} makes room' if ways else ''))
  return f'does not fit; {estimate.note or "more devices"}{f", {ways}" if ways else ""} makes room'


def flags(parts: int, rows: Sequence[Any]) -> list[str]:
  """Returns flags that cut a device's memory into so many parts, or let it compute again."""
  good = [row for row in rows if not row.refusal]
  found = []
  together = math.gcd(*(row.derived.views_per_device for row in good))
  least = parts * max(row.config.accumulate for row in good)
  for accumulate in range(least, together + 1):
    if together % accumulate == 0:
      found.append(f'--set=accumulate={accumulate}')
      break
  if all('remat' in sections.keys_of('model', row.config.model.name) for row in good) and not all(
      row.config.model.remat for row in good):
    found.append('--set=model.remat=True')
  return found
