"""What a machine in a cloud does when its run ends: the shell of hosts.attempts, really run."""

import subprocess

import pytest

from launch import hosts


@pytest.mark.parametrize('codes, starts', [
    ([0], 1), ([76], 1), ([1], 1),
    # Told to stop, and killed: again.
    ([75, 137, 134, 0], 4),
    # A crash of its own that comes three times in a row comes always.
    ([139, 139, 139], 3),
    ([139, 139, 75, 139, 139, 137, 0], 7),
    ([75] * 20, 20),
])
def test_a_run_is_started_again_as_long_as_that_may_help(tmp_path, codes, starts):
  """The run is a stand-in that ends with the codes in turn."""
  program = tmp_path / 'venv' / 'bin' / 'python'
  program.parent.mkdir(parents=True)
  (tmp_path / 'codes').write_text(''.join(f'{code}\n' for code in codes))
  program.write_text(
      f'#!/bin/bash\nread -r code < {tmp_path}/codes\nsed -i 1d {tmp_path}/codes\n'
      f'echo start >> {tmp_path}/starts\nexit $code\n')
  program.chmod(0o755)
  done = subprocess.run(
      ['bash', '-c', hosts.attempts(['-m', 'nfnets_am.train']) + '\necho "code $code"'],
      env={'PATH': '/usr/bin:/bin', 'ROOT': str(tmp_path), 'NFNETS_AM_PAUSE': '0'},
      capture_output=True, text=True, check=True)
  assert (tmp_path / 'starts').read_text().count('start') == starts
  assert done.stdout == f'code {codes[-1]}\n'
