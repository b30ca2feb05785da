"""What XLA expects of a training step on a TPU that is not here.

XLA for TPU runs on any machine with the `libtpu` package (the extra `plan`): it compiles the real
step of a config for a described topology, and answers what it expects of it. Each compilation is a
process of its own (`python -m nfnets_am.costs.aot`, a request on stdin, the answer on stdout):
libtpu wants an environment, and gigabytes go when the process ends.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import signal
import sys
import time
from typing import Any

import ml_collections

from nfnets_am.config import identity
from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.costs import child
from nfnets_am.costs import hlo

# libtpu asks where it is and keeps others out; here it is nowhere, and there is nothing to share.
ENVIRONMENT = {
    'JAX_PLATFORMS': 'cpu', 'TPU_SKIP_MDS_QUERY': '1', 'TPU_WORKER_HOSTNAMES': 'localhost',
    'ALLOW_MULTIPLE_LIBTPU_LOAD': '1'}
NO_ROOM = 'Ran out of memory'
_COMMAND = (sys.executable, '-m', 'nfnets_am.costs.aot')
# The sections of a config that the program of a step depends on.
_SECTIONS = ('model', 'objective', 'penalty', 'ascent', 'clip', 'optimizer', 'ema', 'accumulate',
             'gradient_norm', 'dtype', 'backend')
# The source that it depends on, for the cache.
_SOURCE = ('core/parallel.py', 'training', 'objectives', 'models', 'optim')


@dataclasses.dataclass(frozen=True)
class Step:
  """A step to compile: what its program depends on and nothing else.

  Attributes:
    sections: dotted key -> JSON value of the config's keys in _SECTIONS.
    topology: as libtpu names it, 'v3:2x2x1'.
    per_device: views on a device.
    image_shape: (H, W, C).
    num_classes: K.
  """

  sections: Mapping[str, Any]
  topology: str
  per_device: int
  image_shape: tuple[int, int, int]
  num_classes: int


@dataclasses.dataclass(frozen=True)
class Cost:
  """What XLA expects of a step, per device and update.

  Attributes:
    ms: XLA's bound (`optimal_seconds`): it compares programs and promises nothing about the clock.
      What it counts as accessed takes its time of the main memory, whatever holds it.
    tflop: 10^12 operations.
    accessed_gib: memory read and written, as XLA counts it: with the core's own memory, which holds
      whole arrays from v5e on, and copies to it several times.
    moved_gib: read from the main memory and written to it (costs/hlo.py).
    mega_cycles: the compiler's own estimates, summed, in 10^6 cycles of a core.
    peak_gib: most memory in use at a time.
    all_reduced_mib: result bytes of all all-reduces.
    seconds: that the compilation took.
  """

  ms: float
  tflop: float
  accessed_gib: float
  moved_gib: float
  mega_cycles: float
  peak_gib: float
  all_reduced_mib: float
  seconds: float


def step_of(config: ml_collections.ConfigDict, *, topology: str, per_device: int,
            image_shape: tuple[int, int, int], num_classes: int) -> Step:
  """Returns the step of a config; runs that differ in budget, rate or seed have the same."""
  sections = {
      key: value for key, value in identity.flatten(config)
      if key.partition('.')[0] in _SECTIONS and value is not None}
  return Step(sections, topology, per_device, tuple(image_shape), num_classes)


def is_available() -> bool:
  """Whether libtpu is installed."""
  return importlib.util.find_spec('libtpu') is not None


def cost(step: Step, cache: str | os.PathLike | None = None, *, limit_s: float = 0.0,
         waits: Callable[[float], None] = lambda seconds: None) -> Cost:
  """Compiles a step in a process of its own.

  Args:
    step: to compile; minutes for an NFNet, and up to 25 GB of host memory.
    cache: folder of answers; None asks anew.
    limit_s: seconds after which compiling is ended; 0 is none.
    waits: called every second with the seconds that it has taken.

  Raises:
    UserError: libtpu is missing, there is no such topology, the config is refused, the step needs
      more memory than a device has (its sentence holds NO_ROOM), or the limit came first.
  """
  if not is_available():
    raise errors.UserError("libtpu is not installed; pip install '.[plan]'")
  kept = None if cache is None else pathlib.Path(cache) / f'{_digest(step)}.json'
  if kept is not None and kept.exists():
    return _read(json.loads(kept.read_text()))
  done = child.ask(
      _COMMAND, json.dumps(dataclasses.asdict(step)), environment=os.environ | ENVIRONMENT,
      cwd=pathlib.Path(__file__).parents[2], limit_s=limit_s, waits=waits)
  if done.returncode == 0:
    answer = json.loads(done.stdout.splitlines()[-1])
  elif NO_ROOM in done.stderr:
    # Too large for the device is an answer to keep; all else may be another one next time.
    answer = {'error': NO_ROOM + done.stderr.partition(NO_ROOM)[2].splitlines()[0]}
  elif done.returncode < 0:
    kind = signal.Signals(-done.returncode)
    why = ('as the kernel does when the memory of this machine runs out; the largest steps need '
           '25 GB' if kind == signal.SIGKILL else
           'a fault of the compiler itself, which the same command may not meet again')
    raise errors.UserError(f'compiling was ended by {kind.name}, {why}')
  else:
    lines = done.stderr.strip().splitlines() or ['no message']
    raise errors.UserError(lines[-1].removeprefix('error: '))
  if kept is not None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(answer))
  return _read(answer)


def _read(answer: dict[str, Any]) -> Cost:
  if 'error' in answer:
    raise errors.UserError(answer['error'])
  return Cost(**answer)


def _digest(step: Step) -> str:
  """Names a step by all that its answer depends on."""
  package = pathlib.Path(__file__).parents[1]
  found = hashlib.sha256(json.dumps(dataclasses.asdict(step), sort_keys=True).encode())
  found.update(' '.join(field.name for field in dataclasses.fields(Cost)).encode())
  for name in ('jax', 'libtpu'):
    found.update(importlib.metadata.version(name).encode())
  for part in _SOURCE:
    path = package / part
    for file in sorted(path.rglob('*.py')) if path.is_dir() else [path]:
      found.update(file.read_bytes())
  return found.hexdigest()[:20]


def lower(step: Step) -> Any:
  """Returns a step lowered for all devices of its topology, to be compiled or looked at.

  Traces in this process, which has ENVIRONMENT from its start.

  Raises:
    UserError: there is no such topology, or the config is refused.
  """
  # Imported here: the parent only starts processes.
  import jax
  from jax.experimental import topologies
  import numpy as np

  from nfnets_am.training import step as step_lib

  try:
    devices = topologies.get_topology_desc(step.topology, 'tpu').devices
  except RuntimeError as e:
    raise errors.UserError(f'no such topology ({e}); allowed: such as v2:2x2x1, v4:2x2x2') from e
  experiment = experiment_of(step, len(devices))
  state = experiment.placed_shapes(len(devices))
  batch = jax.tree.map(lambda x: jax.ShapeDtypeStruct((len(devices), *x.shape), x.dtype),
                       experiment.preparation.batch_spec(
                           step.per_device, devices=len(devices)))
  mapped = step_lib.map_train_step(experiment, 'pmap', devices)
  numbers = jax.eval_shape(experiment.numbers, jax.ShapeDtypeStruct((), np.int32))
  return mapped.lower(state, numbers, None, batch)


def _compile(step: Step) -> Cost:
  began = time.perf_counter()
  compiled = lower(step).compile()
  analysis, memory = compiled.cost_analysis(), compiled.memory_analysis()
  program = hlo.executed(compiled.as_text())
  return Cost(
      # XLA adds -1 second for each instruction that it has no cost of.
      ms=1e3 * (analysis['optimal_seconds'] + hlo.unknown_costs(program)),
      tflop=analysis['flops'] / 1e12,
      accessed_gib=analysis['bytes accessed'] / 2**30,
      moved_gib=hlo.main_memory_bytes(program) / 2**30,
      mega_cycles=hlo.cycles(program) / 1e6,
      peak_gib=memory.peak_memory_in_bytes / 2**30,
      all_reduced_mib=hlo.all_reduced_bytes(program) / 2**20,
      seconds=time.perf_counter() - began)


def experiment_of(step: Step, devices: int) -> Any:
  """Returns the experiment of a step on so many devices, without its data."""
  from nfnets_am.config import derived as derived_lib
  from nfnets_am.data import facts as facts_lib
  from nfnets_am.data import hand_over
  from nfnets_am.data import ops
  from nfnets_am.data import preparation
  from nfnets_am.training import sections
  from nfnets_am.training import step as step_lib

  config = sections.from_json(step.sections)
  config.views = devices * step.per_device
  config.budget = '1000 updates'
  schema.validate(config)
  channels = step.image_shape[-1]
  prepare = preparation.ImagePreparation(
      ops.parse('normalise()').bind((0.5,) * channels, (0.25,) * channels),
      hand_over.HandOver(), tuple(step.image_shape), config.dtype)
  facts = facts_lib.Facts(config.views, step.num_classes, tuple(step.image_shape), config.dtype)
  derived = derived_lib.derive(config, train_images=config.views, devices=devices)
  return step_lib.make_experiment(config, derived, facts, prepare)


def main() -> None:
  """Answers the request on stdin."""
  try:
    print(json.dumps(dataclasses.asdict(_compile(Step(**json.load(sys.stdin))))))
  except errors.UserError as e:
    sys.exit(f'error: {e}')


if __name__ == '__main__':
  main()
