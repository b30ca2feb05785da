"""The benchmark of launch.status runs."""

from tests import commands


def test_it_prints_ratios():
  done = commands.run('benchmarks.status', '--runs=5', '--rounds=1')
  assert done.returncode == 0, done.stderr
  assert 'ratio to reading' in done.stdout and 'the command' in done.stdout
