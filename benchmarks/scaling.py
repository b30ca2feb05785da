"""How a step scales: measured on virtual devices and processes here, predicted for pods.

    python -m benchmarks.scaling --devices=1,2,4,8 --processes=1,2,4
    python -m benchmarks.scaling --predict=nfnet_f0,nfnet_f3

Measured: so many CPU devices share this machine's cores, so no more than its cores can speed
anything up; what the table shows is the price of sharing out, and the bytes all-reduced in an
update, counted from the compiled program: the gradient's size once, whatever n is.
Predicted: the published time of a step on one v3 core, on other chips scaled by their peaks, the
gradient's bytes and the published link speeds, with no overlap of computing and communicating.
Nothing here ran on a pod.
"""

import json
import os
import socket
import subprocess
import sys
import time

from absl import flags
import jax
import jax.numpy as jnp
import numpy as np
from rich import console
from rich import table

from launch import calibration
from launch import chips
from nfnets_am import models
from nfnets_am.config import schema
from nfnets_am.core import cli
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.costs import aot
from nfnets_am.costs import counting
from nfnets_am.costs import hlo
from nfnets_am.training import starts
from nfnets_am.training import step as step_lib

_DEVICES = flags.DEFINE_list('devices', ['1', '2', '4', '8'], 'Devices of one process.')
_PROCESSES = flags.DEFINE_list('processes', ['1', '2', '4'], 'Processes with two devices each.')
_PREDICT = flags.DEFINE_list('predict', ['nfnet_f0', 'nfnet_f3', 'nfnet_f5'], 'Models.')
_SLICES = flags.DEFINE_list(
    'slices', ['v5litepod-32', 'v5litepod-256', 'v6e-32', 'v6e-256', 'v3-128'], 'Predicted ones.')
_MODEL = flags.DEFINE_string('model', 'wide_resnet_tiny', 'What is measured.')
_PER_DEVICE = flags.DEFINE_integer('per_device', 16, 'Views on a device.', lower_bound=1)
_STEPS = flags.DEFINE_integer('steps', 30, 'Timed steps.', lower_bound=1)
_CHILD = flags.DEFINE_string('child', '', 'PORT:PROCESSES:INDEX; set by this command.')
_SIZE = 28


def main() -> None:
  if _CHILD.value:
    _child()
    return
  out = console.Console()
  if not out.is_terminal:
    out = console.Console(width=140)
  if _DEVICES.value or _PROCESSES.value:
    out.print(_measured())
  if _PREDICT.value:
    out.print(_predicted())


def _measured() -> table.Table:
  rows = table.Table(
      'processes', 'devices', 'views/update', 'ms/update', 'views/s', 'to one device',
      'all-reduced bytes / gradient bytes',
      title=f'Measured: {_MODEL.value}, {_PER_DEVICE.value} views a device, '
            f'{os.cpu_count()} cores')
  layouts = [(1, int(n)) for n in _DEVICES.value] + [(int(n), 2) for n in _PROCESSES.value]
  first = None
  for processes, devices in layouts:
    found = _run(processes, devices)
    views = _PER_DEVICE.value * processes * devices
    speed = views / found['seconds']
    first = first or speed
    rows.add_row(str(processes), str(processes * devices), str(views),
                 f'{1e3 * found["seconds"]:.1f}', f'{speed:.0f}', f'{speed / first:.2f}',
                 f'{found["all_reduced"] / found["gradient"]:.4f}')
  return rows


def _run(processes: int, devices: int) -> dict[str, float]:
  """Times the step in processes of their own."""
  with socket.socket() as s:
    s.bind(('127.0.0.1', 0))
    port = s.getsockname()[1]
  environment = {**os.environ, 'JAX_PLATFORMS': 'cpu', 'NPROC': '16',
                 'XLA_FLAGS': f'--xla_force_host_platform_device_count={devices}'}
  started = [
      subprocess.Popen(
          [sys.executable, '-m', 'benchmarks.scaling', f'--child={port}:{processes}:{i}',
           f'--model={_MODEL.value}', f'--per_device={_PER_DEVICE.value}',
           f'--steps={_STEPS.value}'],
          env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
      for i in range(processes)]
  answers = [process.communicate() for process in started]
  for process, (_, err) in zip(started, answers, strict=True):
    if process.returncode:
      raise errors.UserError(
          f'{processes} processes of {devices} devices: {(err.splitlines() or ["no message"])[-1]}')
  return json.loads(answers[0][0].splitlines()[-1])


def _child() -> None:
  port, processes, index = map(int, _CHILD.value.split(':'))
  if processes > 1:
    jax.distributed.initialize(f'127.0.0.1:{port}', processes, index)
  config = schema.get_default()
  config.model.name = _MODEL.value
  step = aot.step_of(config, topology='', per_device=_PER_DEVICE.value,
                     image_shape=(_SIZE, _SIZE, 3), num_classes=10)
  experiment = aot.experiment_of(step, jax.device_count())
  mapped = step_lib.map_train_step(experiment, 'pmap')
  state = starts.place(experiment.first_state(), 'pmap')
  numbers = jax.jit(experiment.numbers)(state.update)
  rows = _PER_DEVICE.value * jax.local_device_count()
  rng = np.random.default_rng(index)
  batch = parallel.shard({
      'image': rng.integers(0, 256, (rows, _SIZE, _SIZE, 3), np.uint8),
      'label': rng.integers(0, 10, rows).astype(np.int32)}, 'pmap') | {'draws': {}}
  gradient = sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state.params))
  text = mapped.lower(state, numbers, None, batch).compile().as_text()
  for i in range(_STEPS.value + 2):
    if i == 2:
      began = time.perf_counter()
    state, metrics = mapped(state, numbers, None, batch)
    jax.block_until_ready(metrics)
  seconds = (time.perf_counter() - began) / _STEPS.value
  assert jnp.isfinite(metrics['loss'])
  print(json.dumps({'seconds': seconds, 'gradient': gradient,
                    'all_reduced': hlo.all_reduced_bytes(hlo.executed(text))}))


def predicted_efficiency(gradient_bytes: int, step_ms: float, tpu: chips.Slice) -> float:
  """Returns the share of a step that computes, when it waits for its all-reduce.

  Args:
    gradient_bytes: that every chip sends and receives twice (reduce-scatter, all-gather).
    step_ms: of one device alone.
    tpu: its chips each send with half of their links' bandwidth and receive with the other.
  """
  moved = 2 * gradient_bytes * (tpu.chips - 1) / tpu.chips
  wait_ms = 1e3 * moved / (tpu.chip.link_gbs / 2 * 1e9)
  return step_ms / (step_ms + wait_ms)


def _predicted() -> table.Table:
  rows = table.Table(
      'model', 'gradient MB', 'published ms', *_SLICES.value,
      title='Predicted share of the time that computes, 32 images a device; v3 by published step '
      'times, others by these scaled by the peak')
  for name in _PREDICT.value:
    if name not in calibration.PUBLISHED:
      raise errors.ConfigError(f'--predict={name}; allowed: {", ".join(calibration.PUBLISHED)}')
    # Float32, whatever the activations are.
    gradient = 4 * counting.parameters(models.create_model(name, 1000))
    ms = calibration.PUBLISHED[name][0]
    slices = [chips.parse(tpu) for tpu in _SLICES.value]
    peak = chips.CHIPS['v3'].device_tflops
    rows.add_row(name, f'{gradient / 1e6:.0f}', f'{ms:.1f}', *(
        f'{predicted_efficiency(gradient, ms * peak / tpu.chip.device_tflops, tpu):.3f}'
        for tpu in slices))
  return rows


if __name__ == '__main__':
  cli.run(main)
