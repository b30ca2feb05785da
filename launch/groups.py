"""The runs of a sweep that cost the same, and what an update of theirs costs on a slice."""

import collections
from collections.abc import Sequence
import dataclasses
from typing import Any

from launch import chips
from launch import costs
from launch import waiting
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.costs import aot
from nfnets_am.data import inputs
from nfnets_am.data import known
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import selection
from nfnets_am.sweeps import stages


@dataclasses.dataclass(frozen=True)
class Row:
  """Runs that cost the same on a slice.

  Attributes:
    cells: of the runs.
    config: of one of them.
    images: of its training set, or None if the config is refused wherever it is to run.
    derived: their derived numbers, or None if they cannot run on this TPU.
    estimate: of an update on one device, or None.
    program: that is compiled for an update; rows that say the same share it.
    cpu_ms: of one CPU core, for the input of an update.
    refusal: why they cannot run.
    stage: after which only some copies of a cell go on, or None.
    floor_ms: that an update takes at least; None is what the TPU's generation says.
  """

  cells: tuple[dict[str, Any], ...]
  config: Any = None
  images: known.Known | None = None
  derived: derived_lib.Derived | None = None
  estimate: costs.Estimate | None = None
  program: str = ''
  cpu_ms: float = 0.0
  refusal: str = ''
  stage: stages.Selection | None = None
  floor_ms: float | None = None

  @property
  def updates(self) -> int:
    """Updates of all runs together."""
    whole = self.derived.updates
    if self.stage is None:
      return whole * len(self.cells)
    first = self.derived.interval('stages.until', self.stage.until)
    copies = collections.Counter(map(selection.name_of, self.cells))
    return sum(self.stage.updates(count, first, whole) for count in copies.values())

  def hours(self) -> float:
    """Returns the hours of one run that goes to its end, less its start."""
    return self.derived.updates * self.estimate.ms / 3.6e6

  def core_hours(self, tpu: chips.Slice) -> float:
    """Returns the core-hours of all runs, less their starts."""
    return self.updates * self.estimate.ms / 3.6e6 * tpu.cores

  def input_hosts(self, tpu: chips.Slice) -> float:
    """Returns how many hosts would be busy with the input alone."""
    return self.cpu_ms / (self.estimate.ms * tpu.chip.host_cpus)

  def pflop(self, tpu: chips.Slice) -> float:
    """Returns 10^15 operations of all runs."""
    return self.estimate.tflop / 1e3 * tpu.devices * self.updates

  @property
  def label(self) -> str:
    """What the cells have in common."""
    first = self.cells[0]
    return cells_lib.cell_name({
        key: value for key, value in first.items()
        if key != 'seed' and all(cell.get(key) == value for cell in self.cells)}) or 'the run'

  def on(self, tpu: chips.Slice) -> 'Row':
    """Returns the same runs on another slice, an update counted.

    What was compiled for this slice says by how much counting is wrong: that is taken over.
    """
    if self.images is None:
      return self
    found = _counted(self, tpu)
    if found.estimate and self.estimate and self.estimate.how != 'counted':
      step = _step(self.config, self.images, self.derived, tpu)
      wrong = self.estimate.busy_ms / costs.counted(step, tpu.chip).busy_ms
      found = dataclasses.replace(found, estimate=dataclasses.replace(
          found.estimate, busy_ms=found.estimate.busy_ms * wrong))
    return found


def _open(config: Any) -> known.Known:
  """Opens a set that is not known, for its sizes."""
  facts = inputs.INPUTS.build(config.data, config.dtype).facts
  return known.Known(facts.train_examples, tuple(facts.row_shape), facts.outputs)


def _step(config: Any, images: known.Known, derived: derived_lib.Derived, tpu: chips.Slice
          ) -> aot.Step:
  return aot.step_of(config, topology=tpu.chip.topology, per_device=derived.views_per_device,
                     image_shape=images.image_shape, num_classes=images.num_classes)


def _derive(config: Any, images: known.Known, tpu: chips.Slice) -> derived_lib.Derived:
  return derived_lib.derive(config, train_images=images.train_images, devices=tpu.devices,
                            hosts=tpu.hosts)


def _counted(row: Row, tpu: chips.Slice) -> Row:
  try:
    derived = _derive(row.config, row.images, tpu)
    step = _step(row.config, row.images, derived, tpu)
    estimate = costs.counted(step, tpu.chip, row.floor_ms)
  except errors.UserError as e:
    return dataclasses.replace(row, derived=None, estimate=None, refusal=str(e))
  cpu_ms = costs.input_ms(row.config.data, derived.unique, derived.views)
  return dataclasses.replace(
      row, derived=derived, estimate=estimate, program=str(step), cpu_ms=cpu_ms, refusal='')


def plan(runs: Sequence[experiment_file.Run], tpu: chips.Slice, *, compile_: bool, cache: str = '',
         stage: stages.Selection | None = None, floor_ms: float | None = None,
         limit_s: float = 0.0) -> list[Row]:
  """Estimates the runs of a sweep, each different one once.

  Args:
    runs: of the sweep.
    tpu: to run on.
    compile_: whether to compile.
    cache: folder of what was compiled.
    stage: of the sweep.
    floor_ms: that an update takes at least; None is what the TPU's generation says.
    limit_s: seconds after which a step that is still being compiled is counted; 0 is none.
  """
  groups: dict[Any, tuple[Row, list[dict[str, Any]]]] = {}
  for run in runs:
    row, key = _group(run.config, tpu)
    groups.setdefault(key, (row, []))[1].append(dict(run.cell))
  compiled: dict[str, costs.Estimate] = {}
  rows = []
  with waiting.Waiting(len(groups), limit_s) as shown:
    for row, cells in groups.values():
      row = dataclasses.replace(row, cells=tuple(cells), stage=stage, floor_ms=floor_ms)
      shown.next(row.label)
      if not row.refusal:
        row = _counted(row, tpu)
        if compile_ and not row.refusal:
          if row.program not in compiled:
            step = _step(row.config, row.images, row.derived, tpu)
            compiled[row.program] = costs.compiled(
                step, tpu.chip, cache, floor_ms, limit_s=limit_s,
                waits=shown.compiling(f'{row.label} for {tpu.chip.topology}'))
          row = dataclasses.replace(row, estimate=compiled[row.program])
      rows.append(row)
  return rows


def _group(config: Any, tpu: chips.Slice) -> tuple[Row, Any]:
  """Returns a row without cells, and what all runs of that row have in common."""
  images = None
  try:
    schema.validate(config)
    # A set that is known need not be here.
    images = known.training_set(config.data) or _open(config)
    derived = _derive(config, images, tpu)
    row = Row((), config, images, derived)
    return row, (str(dataclasses.replace(derived, temperature=None)),
                 str(_step(config, images, derived, tpu)))
  except errors.UserError as e:
    # On another slice, runs that are refused here with one sentence may differ.
    size = images and (images.train_images, config.multiplicity, config.unique, config.views)
    return Row((), config, images, refusal=str(e)), (str(e), str(size))
