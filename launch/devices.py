"""Which GPUs or TPU chips of this machine each of several runs has to itself.

A process sees the devices that its environment names. For TPU chips it also says that the process
is a whole slice of its own, with a port of its own, or libtpu would wait for the others or refuse
to be loaded twice. The variables are those of JAX's own tests of several processes on one host;
here nothing of this project has run on a TPU.
"""

from collections.abc import Callable
from collections.abc import Sequence
import os
import pathlib
import re

from nfnets_am.core import errors

# Shapes of chips that one process of several may have, as libtpu is told them.
BOUNDS = {1: '1,1,1', 2: '1,2,1', 4: '2,2,1'}
_PORT = 8476
# Google's number on the PCI bus, and that of its network cards, which are no TPUs.
_GOOGLE, _NETWORK = '0x1ae0', '0x0042'


def slots(per_run: int, root: str = '/') -> list[dict[str, str]]:
  """Returns the environments of the runs that have room on this machine at once.

  Args:
    per_run: devices of each.
    root: of the file system, for tests.

  Raises:
    ConfigError: there are none, fewer than one run is to have, or not so many can be had.
  """
  kind, names = found(root)
  if not names:
    raise errors.ConfigError(
        f'--devices_per_run={per_run}, but this machine has neither TPU nor GPU; allowed: without '
        'it, --jobs')
  check(kind, per_run, len(names))
  groups = [names[i:i + per_run] for i in range(0, len(names) - per_run + 1, per_run)]
  if len(groups) == 1 and len(names) == per_run:
    return [{}]
  return [_ENVIRONMENTS[kind](group, i) for i, group in enumerate(groups)]


def check(kind: str, per_run: int, there: int) -> None:
  """Raises ConfigError unless a run can have so many of the devices that there are."""
  allowed = [n for n in range(1, there + 1) if kind == 'GPU' or n in BOUNDS or n == there]
  if per_run not in allowed:
    raise errors.ConfigError(
        f'--devices_per_run={per_run} on a machine with {there} {kind}{"s" * (there > 1)}; '
        f'allowed: {", ".join(map(str, allowed))}')


def found(root: str = '/') -> tuple[str, list[str]]:
  """Returns what devices this machine has, 'TPU chip' or 'GPU', and their numbers.

  Those that TPU_VISIBLE_CHIPS or CUDA_VISIBLE_DEVICES name, where one is set, are all there are.
  """
  for kind, variable, look in (('TPU chip', 'TPU_VISIBLE_CHIPS', _chips),
                               ('GPU', 'CUDA_VISIBLE_DEVICES', _gpus)):
    named = os.environ.get(variable)
    names = named.split(',') if named else look(pathlib.Path(root))
    if names:
      return kind, names
  return '', []


def _chips(root: pathlib.Path) -> list[str]:
  """Returns the numbers of this machine's TPU chips."""
  count = len(list(root.glob('dev/accel[0-9]*')))
  if not count and any(_read(path / 'vendor') == _GOOGLE and _read(path / 'device') != _NETWORK
                       for path in root.glob('sys/bus/pci/devices/*')):
    # From v5e on a chip is a group of vfio, whose numbers need not begin at 0.
    count = sum(path.name.isdigit() for path in root.glob('dev/vfio/*'))
  return list(map(str, range(count)))


def _gpus(root: pathlib.Path) -> list[str]:
  found = (re.fullmatch(r'nvidia(\d+)', path.name) for path in root.glob('dev/nvidia*'))
  return sorted((match[1] for match in found if match), key=int)


def _read(path: pathlib.Path) -> str:
  try:
    return path.read_text().strip()
  except OSError:
    return ''


def _tpu_environment(names: Sequence[str], slot: int) -> dict[str, str]:
  port = _PORT + slot
  return {
      'TPU_VISIBLE_CHIPS': ','.join(names),
      'TPU_CHIPS_PER_PROCESS_BOUNDS': BOUNDS[len(names)],
      'TPU_PROCESS_BOUNDS': '1,1,1',
      'TPU_PROCESS_ADDRESSES': f'localhost:{port}',
      'TPU_PROCESS_PORT': str(port),
      'CLOUD_TPU_TASK_ID': '0',
      'ALLOW_MULTIPLE_LIBTPU_LOAD': '1'}


def _gpu_environment(names: Sequence[str], slot: int) -> dict[str, str]:
  del slot
  return {'CUDA_VISIBLE_DEVICES': ','.join(names)}


_ENVIRONMENTS: dict[str, Callable[[Sequence[str], int], dict[str, str]]] = {
    'TPU chip': _tpu_environment, 'GPU': _gpu_environment}
