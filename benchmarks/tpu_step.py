"""What XLA expects of a training step on a TPU that is not here.

    pip install '.[plan]'
    python -m benchmarks.tpu_step --models=nfnet_f0,nfnet_f3
    python -m benchmarks.tpu_step --models=nfnet_f5 --sam=0.05 --remat

Compiles the whole step ahead of time for a described topology, on a machine with a CPU only:
uint8 images, normalising, forward, label smoothing, backward, mean over all devices, AGC, weight
decay, Nesterov, average of the weights; bfloat16 compute, float32 weights. The time is
XLA's bound (`optimal_seconds`): it compares programs and promises nothing about the clock. A step
that needs more memory than a core has does not compile. Minutes per model on 2 cores; the largest
with SAM take 25 GB of host memory.
"""

import importlib.util
import json
import os
import subprocess
import sys
import time

from absl import flags
from rich import console
from rich import table

from nfnets_am import cli
from nfnets_am import errors

_MODELS = flags.DEFINE_list('models', ['nfnet_f0'], 'Registered models, one compilation each.')
_TOPOLOGY = flags.DEFINE_string('topology', 'v3:2x2x1', 'TPU generation and shape in chips.')
_PER_DEVICE = flags.DEFINE_integer('per_device', 32, 'Images on a device (a v3 core).')
_SIZE = flags.DEFINE_integer('size', 0, "Height and width; 0 is the model's training size.")
_SAM = flags.DEFINE_float('sam', 0.0, 'Radius of the ascent step; 0 is off.')
_REMAT = flags.DEFINE_bool('remat', False, 'Recompute the inside of each block in the backward.')
_CHILD = flags.DEFINE_bool('child', False, 'Compile here and print JSON; set by this command.')

# libtpu asks where it is and keeps others out; here it is nowhere, and there is nothing to share.
_ENVIRONMENT = {
    'JAX_PLATFORMS': 'cpu', 'TPU_SKIP_MDS_QUERY': '1', 'TPU_WORKER_HOSTNAMES': 'localhost',
    'ALLOW_MULTIPLE_LIBTPU_LOAD': '1'}
_NO_ROOM = 'Ran out of memory'
# A plain port of the published model and optimiser, measured the same way: 32 images a core on
# v3:2x2x1, without SAM; ms, TFLOP, GiB accessed, GiB peak.
_PLAIN = {
    'nfnet_f0': (39.0, 1.319, 11.23, 1.93),
    'nfnet_f3': (295.4, 12.95, 68.6, 11.23),
    'nfnet_f5': (834.1, 40.23, 173.5, 14.43),
}


def main() -> None:
  if _CHILD.value:
    print(json.dumps(_compile(_MODELS.value[0])))
    return
  rows = table.Table(
      'step', 'ms', 'TFLOP', 'GiB accessed', 'GiB peak', 'compiled',
      title=f'{_PER_DEVICE.value} images per device, {_TOPOLOGY.value}, per device and update')
  for model in _MODELS.value:
    cost = _compile_in_own_process(model)
    ours = (cost['ms'], cost['tflop'], cost['accessed_gib'], cost['peak_gib'])
    name = model + ' SAM' * bool(_SAM.value) + ' remat' * _REMAT.value
    rows.add_row(name, *(f'{x:.4g}' for x in ours), f'{cost["seconds"]:.0f} s')
    same = (_PER_DEVICE.value, _TOPOLOGY.value, _SIZE.value, _SAM.value) == (32, 'v3:2x2x1', 0, 0.0)
    if same and model in _PLAIN:
      plain = _PLAIN[model]
      rows.add_row('plain port', *(f'{x:.4g}' for x in plain), '')
      rows.add_row('ratio', *(f'{a / b:.3f}' for a, b in zip(ours, plain, strict=True)), '')
  console.Console().print(rows)


def _compile_in_own_process(model: str) -> dict[str, float]:
  """Compiles in a child with libtpu's environment, whose memory goes when it ends."""
  flag = lambda f: f'--{f.name}={f.value}'
  done = subprocess.run(
      [sys.executable, '-m', 'benchmarks.tpu_step', '--child', f'--models={model}',
       *map(flag, (_TOPOLOGY, _PER_DEVICE, _SIZE, _SAM, _REMAT))],
      env=os.environ | _ENVIRONMENT, capture_output=True, text=True, check=False)
  if done.returncode:
    lines = done.stderr.strip().splitlines() or ['no message']
    for line in lines:
      if _NO_ROOM in line:
        raise errors.UserError(
            f'{model} on {_TOPOLOGY.value}: {line[line.index(_NO_ROOM):]}')
    raise errors.UserError(f'{model} on {_TOPOLOGY.value}: {lines[-1].removeprefix("error: ")}')
  return json.loads(done.stdout.splitlines()[-1])


def _compile(model: str) -> dict[str, float]:
  # Imported here: the parent only starts processes and prints.
  import jax
  from jax.experimental import topologies
  import jax.numpy as jnp

  from nfnets_am import parallel

  if importlib.util.find_spec('libtpu') is None:
    raise errors.UserError("libtpu is not installed; pip install '.[plan]'")
  try:
    devices = topologies.get_topology_desc(_TOPOLOGY.value, 'tpu').devices
  except RuntimeError as e:
    raise errors.UserError(f'no such topology ({e}); allowed: such as v2:2x2x1, v4:2x2x2') from e
  experiment = _experiment(model, len(devices))
  state = jax.eval_shape(experiment.init)
  rows = (len(devices), _PER_DEVICE.value)
  batch = {'image': jax.ShapeDtypeStruct(rows + experiment.image_shape, jnp.uint8),
           'label': jax.ShapeDtypeStruct(rows, jnp.int32), 'draws': {}}
  step = parallel.map_step(
      experiment.train_step, 'pmap', replicated=2, donate=(0,), devices=devices)
  began = time.perf_counter()
  compiled = step.lower(state, None, batch).compile()
  cost, memory = compiled.cost_analysis(), compiled.memory_analysis()
  return {
      'ms': 1e3 * cost['optimal_seconds'],
      'tflop': cost['flops'] / 1e12,
      'accessed_gib': cost['bytes accessed'] / 2**30,
      'peak_gib': memory.peak_memory_in_bytes / 2**30,
      'seconds': time.perf_counter() - began,
  }


def _experiment(model: str, devices: int):
  """The NFNets' recipe (Brock et al. 2021b), as make_experiment builds it from a config."""
  import ml_collections

  from nfnets_am import config as config_lib
  from nfnets_am import derived as derived_lib
  from nfnets_am import experiment as experiment_lib
  from nfnets_am import models
  from nfnets_am.data import ops

  config = config_lib.get_default()
  config.views = devices * _PER_DEVICE.value
  config.budget = '112600 updates'
  config.data.augment = 'normalise()'
  remat = {'remat': True} if _REMAT.value else {}
  config.model = ml_collections.ConfigDict({'name': model} | remat)
  config.loss = ml_collections.ConfigDict({'name': 'cross_entropy', 'label_smoothing': 0.1})
  config.schedule = ml_collections.ConfigDict(
      {'name': 'warmup_cosine', 'peak': 0.8, 'warmup': '1564 updates'})
  config.optimizer.update(
      {'nesterov': True, 'weight_decay': 2e-5, 'decay_mask': 'no_gain_bias', 'agc_clip': 0.01})
  config.sam.rho = _SAM.value
  config.ema = 0.99999
  config.dtype = 'bfloat16'
  config_lib.validate(config)
  read = config_lib.ReadConfig(config)
  size = _SIZE.value or models.create_model(model, 1000).train_size
  return experiment_lib.make_experiment(
      read, derived_lib.derive(read, train_images=1_281_167, devices=devices), num_classes=1000,
      image_shape=(size, size, 3), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225),
      augmentation=ops.parse('normalise()'))


if __name__ == '__main__':
  cli.run(main)
