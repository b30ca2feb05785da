"""What small runs cost: a floor under a step, a start before it, and slices that are shared."""

import dataclasses
import types

import pytest

from launch import chips
from launch import costs
from launch import groups
from launch import plan
from launch import ways
from nfnets_am.sweeps import experiment_file
from tests import commands
from tests import tiny

_START = ways.Start(boot=100.0, install=50.0, compile=20.0, begin=5.0)


@dataclasses.dataclass(frozen=True)
class _Row:
  """Stands in for a row: `busy` seconds of one chip are shared out over the devices."""

  cells: tuple
  updates_each: int
  busy_ms: float
  least: int = 1
  gib: float = 1.0
  cpu_ms: float = 0.0
  estimate: costs.Estimate | None = None
  refusal: str = ''
  program: str = 'one'
  label = 'n=1'

  @property
  def derived(self):
    return types.SimpleNamespace(updates=self.updates_each)

  @property
  def updates(self):
    return self.updates_each * len(self.cells)

  def on(self, tpu):
    if tpu.devices > self.least:
      return dataclasses.replace(self, refusal=f'too few for {tpu.devices} devices')
    return dataclasses.replace(self, refusal='', estimate=costs.Estimate(
        'counted', self.busy_ms / tpu.devices, tpu.chip.floor_ms, 1.0, self.gib / tpu.devices,
        self.gib / tpu.devices))


def _ways(*rows, tpu='v5litepod-8'):
  tpu = chips.parse(tpu)
  found = ways.ways([row.on(tpu) for row in rows], tpu, _START)
  return {(way.tpu.name, way.how): way for way in found}, found


def test_a_slice_of_eight_is_not_as_cheap_as_one_chip_for_a_small_step():
  """2 ms of one chip are 0.25 ms of eight, and a step takes 1.5 however small it is."""
  found, _ = _ways(_Row(tuple('abcd'), 100_000, busy_ms=2.0, least=8))
  one, eight = found['v5litepod-1', 'each'], found['v5litepod-8', 'each']
  assert one.core_hours == pytest.approx(4 * (100_000 * 2e-3 + 175) / 3600)
  assert eight.core_hours == pytest.approx(4 * 8 * (100_000 * 1.5e-3 + 175) / 3600)
  assert eight.hours == pytest.approx((150 + 175) / 3600)


def test_a_shared_slice_starts_once_and_compiles_once_for_each_program():
  short, long = _Row(tuple('abc'), 1_000, busy_ms=2.0, least=8), _Row(
      tuple('ab'), 10_000, busy_ms=4.0, least=8, program='other')
  found, _ = _ways(short, long)
  # On all chips both are at the floor.
  turns = 150 + 2 * 20 + 5 * 5 + 3 * 1.5 + 2 * 15
  assert found['v5litepod-8', 'turns'].hours == pytest.approx(turns / 3600)
  assert found['v5litepod-8', 'turns'].core_hours == pytest.approx(8 * turns / 3600)
  # Five runs at once on eight chips: the longest of them ends last.
  assert found['v5litepod-8', 'chips'].hours == pytest.approx((150 + 20 + 5 + 40) / 3600)
  # On four chips the shortest waits for a chip: behind another short one that need not compile.
  lengths = sorted([25 + 40, 5 + 40, 25 + 2, 5 + 2, 5 + 2], reverse=True)
  last = max(lengths[0], lengths[3] + lengths[4])
  assert found['v5litepod-4', 'chips'].hours == pytest.approx((150 + last) / 3600)
  assert ('v5litepod-1', 'chips') not in found
  # Runs of two lengths that share a program.
  found, _ = _ways(short, dataclasses.replace(long, program='one'))
  assert found['v5litepod-8', 'turns'].hours == pytest.approx((turns - 20) / 3600)


def test_runs_that_share_a_host_share_its_cpus():
  row = _Row(tuple('abcdefgh'), 1_000, busy_ms=2.0, least=8, cpu_ms=112 * 3.0)
  found, _ = _ways(row)
  # Eight times 336 ms of one core, on 112 of them, are 24 ms; a run by itself has 3.
  assert found['v5litepod-8', 'chips'].hours == pytest.approx((150 + 25 + 24) / 3600)
  assert found['v5litepod-8', 'each'].hours == pytest.approx((175 + 3) / 3600)


def test_the_cheapest_is_named_with_its_flags_and_what_cannot_be_is_last():
  tpu = chips.parse('v5litepod-8')
  found, order = _ways(_Row(tuple(range(64)), 12_500, busy_ms=2.1, least=4, gib=20.0))
  assert order[0].how == 'turns' and order[0].tpu.name == 'v5litepod-4'
  assert found['v5litepod-8', 'chips'].refusal == 'n=1 does not fit'
  assert found['v5litepod-8', 'each'].refusal == 'n=1: too few for 8 devices'
  assert [bool(way.refusal) for way in order] == sorted(bool(way.refusal) for way in order)
  assert ways.advice(order, tpu).endswith('--on=gcloud --tpu=v5litepod-4 --devices_per_run=4')
  _, order = _ways(_Row(tuple(range(640)), 200_000, busy_ms=2.1, least=8))
  said = ways.advice(order, tpu)
  assert 'cheapest: ' in said and 'v5litepod-8 for each run takes' in said
  # Turns on one chip cost a little less and take eight times as long.
  assert order[0].tpu.name == 'v5litepod-1' and order[0].how == 'turns'
  assert ways.best(order).how == 'chips' and ways.best(order).tpu.name == 'v5litepod-8'
  costs_ = [way.core_hours for way in order if not way.refusal]
  assert costs_ == sorted(costs_) and costs_[-1] > 5 * costs_[0]
  shown = plan.table_of_ways(order, 2.0)
  assert len(shown.rows) == len(order)


def test_a_slice_of_many_hosts_is_not_shared():
  found, _ = _ways(_Row(tuple('ab'), 1_000, busy_ms=2.0, least=64), tpu='v5litepod-64')
  assert {how for name, how in found if name == 'v5litepod-64'} == {'each'}
  assert ('v5litepod-8', 'chips') in found


def test_a_sweep_is_counted_on_other_slices_as_it_would_be_planned_there():
  sweep = tiny.get_sweep()
  runs = experiment_file.get_runs('tests/tiny.py', sweep)
  one, four = chips.parse('v5litepod-1'), chips.parse('v5litepod-4')
  rows = groups.plan(runs, four, compile_=False)
  for row, there in zip(rows, groups.plan(runs, one, compile_=False), strict=True):
    assert row.on(one) == there
    assert row.estimate.ms == row.estimate.floor_ms == 1.5 > row.estimate.busy_ms
  rows = groups.plan(runs, four, compile_=False, floor_ms=7.0)
  assert rows[0].on(one).estimate.ms == 7.0
  # Compiling has found a step to take three times what is counted: so it would elsewhere.
  slow = dataclasses.replace(rows[0], estimate=dataclasses.replace(
      rows[0].estimate, how='compiled', busy_ms=3 * rows[0].estimate.busy_ms))
  assert slow.on(one).estimate.busy_ms == pytest.approx(3 * rows[0].on(one).estimate.busy_ms)


def test_runs_that_are_refused_here_may_run_on_fewer_chips():
  runs = experiment_file.get_runs('tests/tiny.py', tiny.get_sweep(), {'unique': 4})
  eight, one = chips.parse('v5litepod-8'), chips.parse('v5litepod-1')
  rows = groups.plan(runs, eight, compile_=False)
  assert all(row.refusal for row in rows)
  assert all(row.on(one).updates and not row.on(one).refusal for row in rows)
  assert ways.ways(rows, eight, _START)[0].tpu.name != 'v5litepod-8'


@pytest.mark.slow
def test_a_plan_prints_starts_floors_and_ways():
  done = commands.run('launch.plan', '--experiment=tests/tiny.py', '--tpu=v5e-8', '--mode=counted',
                      '--boot_s=77')
  assert done.returncode == 0, done.stderr
  for text in ('no less than 1.5 ms on v5litepod: assumed', '77 s to boot',
               'counted, scaled, floor',
               'a slice for each run', 'one slice, a chip for each run', 'cheapest: '):
    assert text in done.stdout, done.stdout
  assert '…' not in done.stdout


@pytest.mark.slow
def test_the_documents_table_is_what_the_plan_says():
  path = commands.ROOT / 'experiments/fort2021/figure2.py'
  sweep = experiment_file.get_sweep(path)
  tpu = chips.parse('v5litepod-8')
  rows = groups.plan(experiment_file.get_runs(path, sweep), tpu, compile_=False)
  found = ways.ways(rows, tpu, ways.Start())
  text = (commands.ROOT / 'docs/launching.md').read_text()
  assert f'{sum(len(row.cells) for row in rows):,} runs of a WRN-16-4' in text
  table = text.partition('| slice | the runs have | core-hours |\n|---|---|---|\n')[2]
  said = {}
  for line in table.partition('\n\n')[0].splitlines():
    slice_, how, hours = (cell.strip() for cell in line.strip('|').split('|'))
    said[slice_, how] = hours
  assert len(said) == 5
  by_name = {(way.tpu.name, ways.NAMES[way.how]): ways.hours_text(way.core_hours) for way in found}
  assert said.items() <= by_name.items()


def test_a_part_of_a_slice_is_one_host_with_as_many_devices_as_its_chips_have():
  part = chips.part_of(chips.parse('v3-8'), 2)
  assert (part.chips, part.devices, part.hosts, part.cores) == (2, 4, 1, 4)
  assert chips.part_of(chips.parse('v5litepod-8'), 8).devices == 8
