"""What a sweep costs on a TPU, before money is spent.

    python -m launch.plan --experiment=FILE --tpu=v5litepod-8 --price=1.2
    python -m launch.plan --experiment=FILE --tpu=v6e-32 --mode=compiled

`compiled` compiles each different step for the TPU on this machine (libtpu, the extra `plan`;
minutes each, kept in --cache; after --limit_s it is counted), `counted` counts operations; 'auto'
is compiled where libtpu is.
Runs that cost the same are one line. No update takes less than a floor, and every run has a start;
what the slices of one host cost, each for a run or shared by several, stands below. Evaluation and
waiting are not counted. Of a sweep with stages the first part of all copies is, and the rest of
those that go on.
"""

from collections.abc import Sequence
import pathlib

from absl import flags
from rich import table
from rich import text

from launch import calibration
from launch import chips
from launch import costs
from launch import groups
from launch import room
from launch import states
from launch import ways as ways_lib
from nfnets_am.core import cli
from nfnets_am.core import terminal
from nfnets_am.costs import aot
from nfnets_am.sweeps import experiment_file

_EXPERIMENT = flags.DEFINE_string('experiment', None, 'Experiment file with a get_sweep().')
_TPU = flags.DEFINE_string('tpu', None, "Accelerator type, such as 'v5litepod-8'.")
_SCALE = flags.DEFINE_string('scale', '', "A scale that the file knows, such as 'smoke'.")
_SET = flags.DEFINE_multi_string('set', [], 'KEY=VALUE for the config of every run; repeatable.')
_MODE = flags.DEFINE_enum('mode', 'auto', ['auto', 'counted', 'compiled'], 'How; see above.')
_PRICE = flags.DEFINE_float('price', 0.0, 'Of a core-hour, in any currency.', lower_bound=0.0)
_FLOOR = flags.DEFINE_float(
    'floor_ms', None, "That an update takes at least; the TPU's own is assumed.", lower_bound=0.0)
_START = {
    name: flags.DEFINE_float(f'{name}_s', getattr(ways_lib.Start, name), f'Seconds {what}.',
                             lower_bound=0.0)
    for name, what in (('boot', 'in which a machine boots'), ('install', 'to install a Python'),
                       ('compile', 'to compile a step'), ('begin', 'in which a run begins'))}
_LIMIT = flags.DEFINE_float(
    'limit_s', 1200.0, 'Seconds after which a step that is still being compiled is counted; 0 is '
    'none.', lower_bound=0.0)
_CACHE = flags.DEFINE_string(
    'cache', '~/.cache/nfnets_am/plan', 'Folder of what was compiled before.')


def table_of(rows: Sequence[groups.Row], tpu: chips.Slice, price: float, start: ways_lib.Start
             ) -> table.Table:
  """Returns the plan, a slice for each run, as a table with its totals."""
  columns = ['cell', 'runs', 'updates', 'views', 'PFLOP', 'ms/update', 'GiB of '
             f'{tpu.chip.device_gib * costs.USABLE:.1f}', 'fits', 'core-hours', 'with starts',
             'time', f'input hosts of {tpu.hosts}', 'how']
  shown = table.Table(*(columns[:10] + ['price'] * bool(price) + columns[10:]))
  starts = lambda runs: runs * start.alone / 3600 * tpu.cores
  for row in rows:
    if row.refusal:
      shown.add_row(row.label, str(len(row.cells)), *[''] * 5, text.Text('no', style='red'))
      continue
    estimate = row.estimate
    memory = (f'{estimate.least_gib:.3g}' if estimate.least_gib == estimate.most_gib
              else f'{estimate.least_gib:.3g} to {estimate.most_gib:.3g}')
    hours = row.core_hours(tpu) + starts(len(row.cells))
    shown.add_row(
        row.label, str(len(row.cells)), f'{row.updates:,}',
        f'{row.updates * row.derived.views:.3g}', f'{row.pflop(tpu):,.3g}', f'{estimate.ms:.3g}',
        memory, estimate.fits(tpu.chip), ways_lib.hours_text(row.core_hours(tpu)),
        ways_lib.hours_text(hours),
        *([f'{hours * price:,.2f}'] if price else []),
        states.span(3600 * row.hours() + start.alone), f'{row.input_hosts(tpu):.2g}',
        f'{estimate.how}, {calibration.basis(tpu.chip)}'
        + ', floor' * (estimate.busy_ms < estimate.floor_ms))
  good = [row for row in rows if not row.refusal]
  alone = sum(row.core_hours(tpu) for row in good)
  hours = alone + starts(sum(len(row.cells) for row in good))
  shown.add_section()
  shown.add_row(
      'total', str(sum(len(row.cells) for row in rows)),
      f'{sum(row.updates for row in good):,}',
      f'{sum(row.updates * row.derived.views for row in good):.3g}',
      f'{sum(row.pflop(tpu) for row in good):,.3g}', '', '', '', ways_lib.hours_text(alone),
      ways_lib.hours_text(hours),
      *([f'{hours * price:,.2f}'] if price else []), '', '', '')
  return shown


def table_of_ways(found: Sequence[ways_lib.Way], price: float) -> table.Table:
  """Returns the ways to run a sweep as a table, the cheapest first."""
  shown = table.Table(
      'slice', 'the runs have', 'core-hours', *['price'] * bool(price), 'time',
      'flags of launch.sweep', caption='Starts included. With --jobs=N, N slices share the runs in '
      'place of one, for as many core-hours and in an N-th of the time.')
  for way in found:
    if way.refusal:
      shown.add_row(way.tpu.name, ways_lib.NAMES[way.how], text.Text('no', style='red'),
                    *[''] * bool(price), '', way.refusal)
    else:
      shown.add_row(
          way.tpu.name, ways_lib.NAMES[way.how], ways_lib.hours_text(way.core_hours),
          *([f'{way.core_hours * price:,.2f}'] if price else []), states.span(3600 * way.hours),
          way.flags)
  return shown


def rests_on() -> str:
  """Returns what the estimates rest on, in a few lines."""
  shares = [found() for found in (
      calibration.share_of_peak, calibration.share_of_bound, calibration.share_of_cycles,
      calibration.share_of_roofline)]
  peak, bound, cycles, roofline = (f'{calibration.mean(one):.2f}' for one in shares)
  of_peak, of_bound, of_cycles, of_roofline = (
      ', '.join(f'{name[6:].upper()} {x:.2f}' for name, x in one.items()) for one in shares)
  return (
      "Calibrated on DeepMind's published TPUv3 step times at 32 images on a core. counted: such\n"
      f'a step reaches {peak} of the published peak ({of_peak}). compiled: '
      f"XLA's bound is\n{bound} of the published time ({of_bound}). cycles: where that bound "
      "cannot be one,\nthe compiler's own cycles over the clock: "
      f'{cycles} of the published time ({of_cycles}). roofline: where\nthose cannot be either, '
      'operations over peak or bytes over bandwidth, whichever is more:\n'
      f'{roofline} of the published time ({of_roofline}).\n'
      'Other models are taken to reach the same share, and so are other chips, which is then '
      'scaled;\nsmall images and batches reach less.')


def assumptions(tpu: chips.Slice, start: ways_lib.Start, floor_ms: float | None) -> str:
  """Returns the numbers of small steps and starts that a plan takes, and whose they are."""
  floor = (f'{floor_ms:g} ms, as --floor_ms says' if floor_ms is not None else
           f'{tpu.chip.floor_ms:g} ms on {tpu.chip.prefix}: assumed, and --floor_ms is another')
  return (
      f'An update takes no less than {floor}.\n'
      f'A run that has a machine of its own starts in {states.span(start.alone)}: '
      f'{start.boot:g} s to boot, {start.install:g} to install, {start.compile:g} to compile, '
      f'{start.begin:g} to begin: assumed,\nand --boot_s, --install_s, --compile_s, --begin_s are '
      'others. On a shared slice the first two come once, the third once for each program.')


def main() -> None:
  tpu = chips.parse(_TPU.value)
  overrides = experiment_file.parse_overrides(_SET.value)
  sweep = experiment_file.get_sweep(_EXPERIMENT.value, _SCALE.value)
  runs = experiment_file.get_runs(_EXPERIMENT.value, sweep, overrides)
  compile_ = _MODE.value == 'compiled' or (_MODE.value == 'auto' and aot.is_available())
  start = ways_lib.Start(**{name: flag.value for name, flag in _START.items()})
  rows = groups.plan(runs, tpu, compile_=compile_, floor_ms=_FLOOR.value, stage=sweep.stages,
                     limit_s=_LIMIT.value, cache=str(pathlib.Path(_CACHE.value).expanduser()))
  out = terminal.Terminal(width=200)
  out.print(f'{_EXPERIMENT.value} on {tpu.name}: {tpu.chips} chips, {tpu.devices} devices, '
            f'{tpu.hosts} host{"s" * (tpu.hosts > 1)}; a slice for each run:')
  out.print(table_of(rows, tpu, _PRICE.value, start))
  out.print(rests_on(), soft_wrap=True)
  out.print(assumptions(tpu, start, _FLOOR.value), soft_wrap=True)
  found = ways_lib.ways(rows, tpu, start)
  out.print(table_of_ways(found, _PRICE.value))
  if said := ways_lib.advice(found, tpu):
    out.print(said, soft_wrap=True)
  if not compile_ and _MODE.value == 'auto':
    out.print("Counted, since libtpu is not installed; pip install '.[plan]' to compile.")
  for sentence, labels in advice(rows, tpu).items():
    out.print(f'{"; ".join(labels)}: {sentence}', soft_wrap=True)


def advice(rows: Sequence[groups.Row], tpu: chips.Slice) -> dict[str, list[str]]:
  """Returns what there is to say about rows: sentence -> their labels."""
  found: dict[str, list[str]] = {}
  for row in rows:
    if sentence := row.refusal or room.advice(row.estimate, tpu, rows):
      found.setdefault(sentence, []).append(row.label)
  return found


if __name__ == '__main__':
  flags.mark_flags_as_required(['experiment', 'tpu'])
  cli.run(main)
