"""The benchmark of launch.status: its made-up runs stand as they should."""

import collections

from benchmarks import status as benchmark
from launch import states
from launch import status
from tests import commands


def test_the_made_up_runs_stand_as_they_are_called(tmp_path):
  for kind in set(benchmark._KINDS):
    benchmark.make(tmp_path / f'{kind}-run', kind)
  stands = {'finished': 'finished', 'failed': 'failed', 'killed': 'queued', 'queued': 'queued'}
  found = [states.state_of(job) for job in status.folders_of(str(tmp_path))]
  assert {s.name.removesuffix('-run'): s.status for s in found} == stands
  assert collections.Counter(s.update for s in found) == {0: 1, 200: 2, 400: 1}
  # Two files of each, but for the one that never began.
  assert benchmark.read(tmp_path) == 4 + 3 + 3


def test_it_prints_ratios():
  done = commands.run('benchmarks.status', '--runs=5', '--rounds=1')
  assert done.returncode == 0, done.stderr
  assert 'ratio to reading' in done.stdout and 'the command' in done.stdout
