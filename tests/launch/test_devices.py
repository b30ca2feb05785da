"""Several runs on one machine: each has devices of its own, and no two have the same."""

import json
import sys

from etils import epath
import pytest

from launch import devices
from launch import jobs as jobs_lib
from launch import local
from nfnets_am.core import errors
from tests import commands


@pytest.fixture(autouse=True)
def nothing_named(monkeypatch):
  for name in ('TPU_VISIBLE_CHIPS', 'CUDA_VISIBLE_DEVICES'):
    monkeypatch.delenv(name, raising=False)


def _machine(root, *files, pci=()):
  """Makes the part of a file system that tells of devices."""
  for name in files:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text('')
  for i, (vendor, device) in enumerate(pci):
    folder = root / 'sys/bus/pci/devices' / f'0000:00:0{i}.0'
    folder.mkdir(parents=True)
    (folder / 'vendor').write_text(f'{vendor}\n')
    (folder / 'device').write_text(f'{device}\n')
  return str(root)


def test_every_chip_of_a_host_is_a_slice_of_its_own(tmp_path):
  root = _machine(tmp_path, *(f'dev/vfio/{k}' for k in (*range(8), 'vfio')),
                  pci=[('0x1ae0', '0x0063'), ('0x1ae0', '0x0042')])
  found = devices.slots(1, root)
  assert [slot['TPU_VISIBLE_CHIPS'] for slot in found] == list('01234567')
  assert len({slot['TPU_PROCESS_PORT'] for slot in found}) == 8
  for slot in found:
    assert slot['TPU_PROCESS_ADDRESSES'] == f'localhost:{slot["TPU_PROCESS_PORT"]}'
    assert slot['TPU_PROCESS_BOUNDS'] == slot['TPU_CHIPS_PER_PROCESS_BOUNDS'] == '1,1,1'
    assert slot['CLOUD_TPU_TASK_ID'] == '0' and slot['ALLOW_MULTIPLE_LIBTPU_LOAD'] == '1'
  found = devices.slots(4, root)
  assert [slot['TPU_VISIBLE_CHIPS'] for slot in found] == ['0,1,2,3', '4,5,6,7']
  assert {slot['TPU_CHIPS_PER_PROCESS_BOUNDS'] for slot in found} == {'2,2,1'}
  # All there are is what a process has by itself.
  assert devices.slots(8, root) == [{}]
  with pytest.raises(errors.ConfigError, match='8 TPU chips; allowed: 1, 2, 4, 8'):
    devices.slots(3, root)


def test_other_machines(tmp_path):
  four = _machine(tmp_path / 'v4', *(f'dev/accel{k}' for k in range(4)))
  assert [slot['TPU_VISIBLE_CHIPS'] for slot in devices.slots(2, four)] == ['0,1', '2,3']
  gpus = _machine(tmp_path / 'gpus', 'dev/nvidiactl', *(f'dev/nvidia{k}' for k in (10, 2, 0)))
  assert devices.slots(1, gpus) == [{'CUDA_VISIBLE_DEVICES': k} for k in ('0', '2', '10')]
  assert devices.slots(2, gpus) == [{'CUDA_VISIBLE_DEVICES': '0,2'}]
  # A network card of Google's and a disk's vfio are no TPU.
  none = _machine(tmp_path / 'none', 'dev/vfio/7', pci=[('0x1ae0', '0x0042'), ('0x8086', '0x1')])
  with pytest.raises(errors.ConfigError, match='neither TPU nor GPU'):
    devices.slots(1, none)


def test_what_the_environment_leaves_is_all_there_is(tmp_path, monkeypatch):
  root = _machine(tmp_path, *(f'dev/nvidia{k}' for k in range(8)))
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '5,3')
  assert devices.slots(1, root) == [
      {'CUDA_VISIBLE_DEVICES': '5'}, {'CUDA_VISIBLE_DEVICES': '3'}]
  with pytest.raises(errors.ConfigError, match='2 GPUs; allowed: 1, 2'):
    devices.slots(4, root)


_RUN = """
import json, os, sys, time
folder = sys.argv[-1].removeprefix('--workdir=')
began = time.monotonic()
time.sleep(0.7)
with open(f'{folder}/seen.json', 'w') as f:
  json.dump([os.environ['CUDA_VISIBLE_DEVICES'], began, time.monotonic()], f)
with open(f'{folder}/status.json', 'w') as f:
  json.dump({'status': 'finished', 'update': 1, 'updates': 1}, f)
"""


def test_runs_at_a_time_have_different_devices(tmp_path, monkeypatch):
  monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '3,5')
  (tmp_path / 'run.py').write_text(_RUN)
  jobs = [jobs_lib.Job(f'run-{i}', epath.Path(tmp_path) / f'run-{i}', (),
                       (sys.executable, str(tmp_path / 'run.py'))) for i in range(5)]
  assert local.launch(lambda: jobs, jobs_lib.Options(devices_per_run=1)) == 0
  seen = [json.loads((job.folder / 'seen.json').read_text()) for job in jobs]
  assert {device for device, _, _ in seen} == {'3', '5'}
  together = 0
  for i, (device, began, ended) in enumerate(seen):
    for other, other_began, other_ended in seen[:i]:
      if began < other_ended and other_began < ended:
        together += 1
        assert device != other
  assert together, 'two at a time'


@pytest.mark.parametrize('options', [{'processes': 2}, {'devices': 2}])
def test_devices_of_a_run_are_said_in_one_way(options):
  with pytest.raises(errors.ConfigError, match='allowed: one of them'):
    local.launch(list, jobs_lib.Options(devices_per_run=1, **options))


def test_without_a_device_the_command_says_so(tmp_path):
  if devices.found()[1]:
    pytest.skip('this machine has some')
  done = commands.run('launch.sweep', '--experiment=tests/tiny.py', f'--workdir={tmp_path}',
                      '--devices_per_run=1')
  assert done.returncode == 1 and 'neither TPU nor GPU' in done.stderr
