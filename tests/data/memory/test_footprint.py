"""The input of a long run takes no more memory than that of a short one."""

import subprocess
import sys

import pytest

from tests import commands
from tests.data import encoded

_READER = """
import sys
from nfnets_am.training import run
from tests import tiny_stream


def resident():
  with open('/proc/self/statm') as f:
    return int(f.read().split()[1])


settings = tiny_stream.get_config()
settings.data.data_dir = sys.argv[1]
settings.budget = '1001 updates'
# Few rows: what may grow with the updates is the subject, and RandAugment of a row takes its time.
# Several views of an image, so that it is decoded whole.
settings.unique = settings.data.lanes = 2
built = run.build(settings)
batches = built.dataset.train_batches(built.plan, 0, 0, 1001)
for update, _ in enumerate(batches, start=1):
  if update in (100, 1000):
    print(resident())
"""


@pytest.mark.slow
def test_after_1000_updates_within_a_tenth_of_its_size_after_100(tmp_path):
  encoded.write(tmp_path, (30, 34))
  done = subprocess.run([sys.executable, '-c', _READER, str(tmp_path)], cwd=commands.ROOT,
                        env=commands.environment(), capture_output=True, text=True, timeout=300)
  assert done.returncode == 0, done.stderr
  print(done.stdout)
  after_100, after_1000 = map(int, done.stdout.split())
  assert after_1000 < 1.1 * after_100, (after_100, after_1000)
