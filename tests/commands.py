"""Runs the project's commands as a user does, and looks at what they leave."""

import os
import pathlib
import socket
import subprocess
import sys

import jax
import numpy as np

from nfnets_am.training import saved
from tests import forks

ROOT = pathlib.Path(__file__).resolve().parent.parent
TINY = 'tests/tiny.py'


def environment(devices: int = 1) -> dict[str, str]:
  """Returns an environment in which jax sees this many CPU devices."""
  return {**os.environ, 'JAX_PLATFORMS': 'cpu', 'NPROC': '16',
          'XLA_FLAGS': f'{os.environ["XLA_FLAGS"]} '
                       f'--xla_force_host_platform_device_count={devices}'}


def start(module: str, *flags: str, devices: int = 1) -> subprocess.Popen | forks.Process:
  """Starts `python -m module flags`; where it can be, in a fork that has its imports."""
  return forks.start(module, flags, environment(devices), seconds=600) or start_as_typed(
      module, *flags, devices=devices)


def start_as_typed(module: str, *flags: str, devices: int = 1) -> subprocess.Popen:
  """Starts `python -m module flags` in the repository, from the interpreter's first line on."""
  return subprocess.Popen(
      [sys.executable, '-m', module, *flags], cwd=ROOT, env=environment(devices),
      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(module: str, *flags: str, devices: int = 1) -> subprocess.CompletedProcess:
  """Runs a command to its end; where it can be, in a fork that has its imports."""
  return _to_its_end(start(module, *flags, devices=devices))


def run_as_typed(module: str, *flags: str, devices: int = 1) -> subprocess.CompletedProcess:
  """Runs a command to its end, from the interpreter's first line on."""
  return _to_its_end(start_as_typed(module, *flags, devices=devices))


def _to_its_end(process: subprocess.Popen | forks.Process) -> subprocess.CompletedProcess:
  with process:
    out, err = process.communicate(timeout=300)
  return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def train(workdir, *overrides: str, devices: int = 1, config: str = TINY):
  """Trains to the end; fails the test if the command fails."""
  done = run('nfnets_am.train', f'--config={config}', f'--workdir={workdir}', *overrides,
             devices=devices)
  assert done.returncode == 0, done.stderr
  return done


def train_on_hosts(workdir, *overrides: str, hosts: int, devices: int, config: str = TINY):
  """Trains with several real processes, each with this many devices."""
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    port = s.getsockname()[1]
  processes = [
      start('nfnets_am.train', f'--config={config}', f'--workdir={workdir}', *overrides,
            f'--coordinator=127.0.0.1:{port}', f'--num_processes={hosts}', f'--process_id={i}',
            devices=devices)
      for i in range(hosts)]
  for process in processes:
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err


def final_state(workdir) -> dict[str, np.ndarray]:
  """Returns every array of the newest checkpoint by its name."""
  _, state = saved.newest(workdir, saved.build(workdir))
  return {jax.tree_util.keystr(path): np.asarray(value)
          for path, value in jax.tree_util.tree_leaves_with_path(state)}


def assert_same(a: dict[str, np.ndarray], b: dict[str, np.ndarray], rtol: float = 0.0) -> None:
  """Fails unless two states have the same arrays; bit for bit if rtol is 0."""
  assert a.keys() == b.keys()
  for key in a:
    if rtol:
      scale = np.abs(a[key]).max() + 1e-6
      np.testing.assert_allclose(b[key], a[key], rtol=rtol, atol=rtol * scale, err_msg=key)
    else:
      np.testing.assert_array_equal(b[key], a[key], err_msg=key)
