"""Every update sums the gradient over the devices once; what is predicted follows from that."""

import pytest

from benchmarks import scaling
from launch import chips
from tests import commands


@pytest.mark.slow
def test_the_gradient_is_all_reduced_once_whatever_the_batch():
  """Besides it the mean of the loss and the accuracy, 8 bytes."""
  for per_device in (4, 8):
    done = commands.run('benchmarks.scaling', '--devices=2', '--processes=', '--predict=',
                        f'--per_device={per_device}', '--steps=1')
    assert done.returncode == 0, done.stderr
    row = next(line for line in done.stdout.splitlines() if line.startswith('│ 1 '))
    assert 1.0 <= float(row.split('│')[7]) < 1.01


def test_prediction():
  # 128 chips: 2 * 127/128 * 164 MB over 164e9 bytes a second are 1.98 ms.
  tpu = chips.parse('v3-256')
  assert scaling.predicted_efficiency(164_000_000, 98.02, tpu) == pytest.approx(0.9802, abs=1e-4)
  assert scaling.predicted_efficiency(0, 1.0, tpu) == 1.0
