"""What a sweep costs on a TPU, before money is spent.

    python -m launch.plan --experiment=FILE --tpu=v3-128 --price=0.5
    python -m launch.plan --experiment=FILE --tpu=v3-128 --mode=compiled

`compiled` compiles each different step for the TPU on this machine (libtpu, the extra `plan`;
minutes each, kept in --cache), `counted` counts operations; 'auto' is compiled where libtpu is.
Runs that cost the same are one line. Evaluation and waiting are not counted. Of a sweep with stages
the first part of all copies is, and the rest of those that go on.
"""

import collections
from collections.abc import Sequence
import dataclasses
import pathlib
from typing import Any

from absl import flags
from rich import progress
from rich import table
from rich import text

from launch import chips
from launch import costs
from launch import room
from launch import states
from nfnets_am.config import cells as cells_lib
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import terminal
from nfnets_am.costs import aot
from nfnets_am.data import inputs
from nfnets_am.data import known
from nfnets_am.sweeps import experiment_file
from nfnets_am.sweeps import selection
from nfnets_am.sweeps import stages

_EXPERIMENT = flags.DEFINE_string('experiment', None, 'Experiment file with a get_sweep().')
_TPU = flags.DEFINE_string('tpu', None, "Accelerator type, such as 'v3-128'.")
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")
_SET = flags.DEFINE_multi_string('set', [], 'KEY=VALUE for the config of every run; repeatable.')
_MODE = flags.DEFINE_enum('mode', 'auto', ['auto', 'counted', 'compiled'], 'How; see above.')
_PRICE = flags.DEFINE_float('price', 0.0, 'Of a core-hour, in any currency.', lower_bound=0.0)
_CACHE = flags.DEFINE_string(
    'cache', '~/.cache/nfnets_am/plan', 'Folder of what was compiled before.')


@dataclasses.dataclass(frozen=True)
class Row:
  """Runs that cost the same.

  Attributes:
    cells: of the runs.
    derived: their derived numbers, or None if they cannot run on this TPU.
    estimate: of an update on one device, or None.
    input_hosts: hosts that feed such updates.
    refusal: why they cannot run.
    stage: after which only some copies of a cell go on, or None.
    config: of one of them.
  """

  cells: tuple[dict[str, Any], ...]
  derived: derived_lib.Derived | None = None
  estimate: costs.Estimate | None = None
  input_hosts: float = 0.0
  refusal: str = ''
  stage: stages.Selection | None = None
  config: Any = None

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
    """Returns the hours of one run that goes to its end."""
    return self.derived.updates * self.estimate.ms / 3.6e6

  def core_hours(self, tpu: chips.Slice) -> float:
    """Returns the core-hours of all runs."""
    return self.updates * self.estimate.ms / 3.6e6 * tpu.cores


def _open(config: Any) -> known.Known:
  """Opens a set that is not known, for its sizes."""
  facts = inputs.INPUTS.build(config.data, config.dtype).facts
  return known.Known(facts.train_examples, tuple(facts.row_shape), facts.outputs)


def plan(runs: Sequence[experiment_file.Run], tpu: chips.Slice, *, compile_: bool, cache: str = '',
         stage: stages.Selection | None = None) -> list[Row]:
  """Estimates the runs of a sweep, each different one once.

  Args:
    runs: of the sweep.
    tpu: to run on.
    compile_: whether to compile.
    cache: folder of what was compiled.
    stage: of the sweep.
  """
  groups: dict[Any, tuple[Any, Any, Any, list[dict[str, Any]]]] = {}
  for run in runs:
    config, derived, step = run.config, None, None
    try:
      schema.validate(config)
      # A set that is known need not be here.
      images = known.training_set(config.data) or _open(config)
      derived = derived_lib.derive(config, train_images=images.train_images,
                                   devices=tpu.devices, hosts=tpu.hosts)
      step = aot.step_of(config, topology=tpu.chip.topology, per_device=derived.views_per_device,
                         image_shape=images.image_shape, num_classes=images.num_classes)
      key = str(dataclasses.replace(derived, temperature=None)), str(step)
    except errors.UserError as e:
      key = str(e)
    groups.setdefault(key, (config, derived, step, []))[-1].append(dict(run.cell))
  estimates: dict[str, costs.Estimate] = {}
  rows = []
  for key, (config, derived, step, cells) in progress.track(
      groups.items(), 'estimating', console=terminal.Terminal(stderr=True), transient=True):
    if step is None:
      rows.append(Row(tuple(cells), refusal=key))
      continue
    if str(step) not in estimates:
      estimates[str(step)] = (costs.compiled(step, tpu.chip, cache) if compile_
                              else costs.counted(step, tpu.chip))
    estimate = estimates[str(step)]
    cpu_ms = costs.input_ms(config.data, derived.unique, derived.views)
    rows.append(Row(tuple(cells), derived, estimate,
                    cpu_ms / (estimate.ms * tpu.chip.host_cpus), stage=stage, config=config))
  return rows


def label(cells: Sequence[dict[str, Any]]) -> str:
  """Returns what the cells of a row have in common."""
  first = cells[0]
  return cells_lib.cell_name({
      key: value for key, value in first.items()
      if key != 'seed' and all(cell.get(key) == value for cell in cells)}) or 'the run'


def table_of(rows: Sequence[Row], tpu: chips.Slice, price: float) -> table.Table:
  """Returns the plan as a table with its totals."""
  columns = ['cell', 'runs', 'updates', 'views', 'PFLOP', 'ms/update', 'GiB of '
             f'{tpu.chip.device_gib * costs.USABLE:.1f}', 'fits', 'core-hours',
             'time', f'input hosts of {tpu.hosts}', 'how']
  shown = table.Table(*(columns[:9] + ['price'] * bool(price) + columns[9:]))
  for row in rows:
    if row.refusal:
      shown.add_row(label(row.cells), str(len(row.cells)), *[''] * 5, text.Text('no', style='red'))
      continue
    estimate = row.estimate
    memory = (f'{estimate.least_gib:.3g}' if estimate.least_gib == estimate.most_gib
              else f'{estimate.least_gib:.3g} to {estimate.most_gib:.3g}')
    hours = row.core_hours(tpu)
    shown.add_row(
        label(row.cells), str(len(row.cells)), f'{row.updates:,}',
        f'{row.updates * row.derived.views:.3g}',
        f'{_pflop(row, tpu):,.3g}', f'{estimate.ms:.3g}', memory, estimate.fits(tpu.chip),
        f'{hours:,.3g}', *([f'{hours * price:,.2f}'] if price else []),
        states.span(3600 * row.hours()), f'{row.input_hosts:.2g}', estimate.how)
  good = [row for row in rows if not row.refusal]
  hours = sum(row.core_hours(tpu) for row in good)
  shown.add_section()
  shown.add_row(
      'total', str(sum(len(row.cells) for row in rows)),
      f'{sum(row.updates for row in good):,}',
      f'{sum(row.updates * row.derived.views for row in good):.3g}',
      f'{sum(_pflop(row, tpu) for row in good):,.3g}', '', '', '', f'{hours:,.4g}',
      *([f'{hours * price:,.2f}'] if price else []), '', '', '')
  return shown


def _pflop(row: Row, tpu: chips.Slice) -> float:
  return row.estimate.tflop / 1e3 * tpu.devices * row.updates


def calibration() -> str:
  """Returns what the estimates rest on, in a few lines."""
  peak, bound = costs.share_of_peak(), costs.share_of_bound()
  spread = lambda shares: ', '.join(f'{name[6:].upper()} {x:.2f}' for name, x in shares.items())
  return (
      "Calibrated on DeepMind's published TPUv3 step times at 32 images on a core. counted: such\n"
      f'a step reaches {costs.mean(peak):.2f} of the published peak ({spread(peak)}). compiled: '
      f"XLA's bound is\n{costs.mean(bound):.2f} of the published time ({spread(bound)}). Other "
      'models and chips are taken to reach the same share;\nsmall images and batches reach less.')


def main() -> None:
  tpu = chips.parse(_TPU.value)
  overrides = experiment_file.parse_overrides(_SET.value)
  sweep = experiment_file.get_sweep(_EXPERIMENT.value, _SCALE.value)
  runs = experiment_file.get_runs(_EXPERIMENT.value, sweep, overrides)
  compile_ = _MODE.value == 'compiled' or (_MODE.value == 'auto' and aot.is_available())
  rows = plan(runs, tpu, compile_=compile_,
              cache=str(pathlib.Path(_CACHE.value).expanduser()), stage=sweep.stages)
  out = terminal.Terminal(width=200)
  out.print(f'{_EXPERIMENT.value} on {tpu.name}: {tpu.chips} chips, {tpu.devices} devices, '
            f'{tpu.hosts} hosts')
  out.print(table_of(rows, tpu, _PRICE.value))
  out.print(calibration(), soft_wrap=True)
  if not compile_ and _MODE.value == 'auto':
    out.print("Counted, since libtpu is not installed; pip install '.[plan]' to compile.")
  for sentence, labels in advice(rows, tpu).items():
    out.print(f'{"; ".join(labels)}: {sentence}', soft_wrap=True)


def advice(rows: Sequence[Row], tpu: chips.Slice) -> dict[str, list[str]]:
  """Returns what there is to say about rows: sentence -> their labels."""
  found: dict[str, list[str]] = {}
  for row in rows:
    if sentence := row.refusal or room.advice(row.estimate, tpu, rows):
      found.setdefault(sentence, []).append(label(row.cells))
  return found


if __name__ == '__main__':
  flags.mark_flags_as_required(['experiment', 'tpu'])
  cli.run(main)
