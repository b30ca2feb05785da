"""Splits a training step into device time, input wait and host overhead, in one run.

    python -m benchmarks.step --model=wide_resnet --batch=64

Rounds of the real loop's work (next batch, step, metrics of the step before) alternate with rounds
of the bare step on a batch that is already on the device. The difference of the two is what the
host costs; the part of it spent in `next(batches)` is input wait. With --peer: see peer_step.py,
with --objective or --norm: objective_step.py; models of text: text_step.py.
"""

import statistics
import time

from absl import flags
import jax
import ml_collections
import numpy as np
from rich import console
from rich import table

from benchmarks import objective_step
from benchmarks import peer_step
from benchmarks import text_step
from nfnets_am.config import schema
from nfnets_am.core import cli
from nfnets_am.training import feed
from nfnets_am.training import run as run_lib
from nfnets_am.training import step as step_lib

_MODEL = flags.DEFINE_string('model', 'wide_resnet', 'A registered model; its defaults are used.')
_BATCH = flags.DEFINE_integer('batch', 64, 'Views in an update.')
_MULTIPLICITY = flags.DEFINE_integer('multiplicity', 1, 'Views of each unique image.')
_APPLY = flags.DEFINE_enum('apply', 'host', ['host', 'device'], 'Where views are drawn.')
_PEER = flags.DEFINE_bool('peer', False, "Time the bare step beside torch's instead.")
_OBJECTIVE = flags.DEFINE_string(
    'objective', None, 'Time the bare step of this objective beside plain cross-entropy instead.')
_NORM = flags.DEFINE_string(
    'norm', None, 'Time the bare step of the model with this norm beside batch norm instead.')
_SIZE = flags.DEFINE_integer('size', 96, 'With --peer: pixels of the images.')
_DTYPE = flags.DEFINE_enum('dtype', 'float32', ['float32', 'bfloat16'], 'With --peer.')
_ROUNDS = flags.DEFINE_integer('rounds', 7, 'Rounds of each kind.')
_STEPS = flags.DEFINE_integer('steps', 5, 'Steps in a round.')


def main() -> None:
  if _PEER.value and _MODEL.value in text_step.MODELS:
    return text_step.compare(_MODEL.value, _BATCH.value, _ROUNDS.value)
  if _PEER.value:
    return peer_step.compare(
        _MODEL.value, _SIZE.value, _BATCH.value, _ROUNDS.value, _DTYPE.value)
  if _OBJECTIVE.value is not None:
    return objective_step.compare(
        _OBJECTIVE.value, _MODEL.value, _BATCH.value, _ROUNDS.value)
  if _NORM.value is not None:
    return objective_step.compare_norms(_NORM.value, _MODEL.value, _BATCH.value, _ROUNDS.value)
  return _split()


def _split() -> None:
  updates = (_ROUNDS.value + 1) * _STEPS.value + 2
  if _MODEL.value in text_step.MODELS:
    run = run_lib.build(
        text_step.configure(_MODEL.value, _BATCH.value, _MULTIPLICITY.value, updates))
  else:
    run = run_lib.build(_of_images(updates))
  step = step_lib.map_train_step(run.experiment, run.backend)
  state = run.start(run.backend)
  pool = feed.place_pool(run)
  batches = feed.placed_batches(run, 0)
  fixed, numbers_of = next(batches), jax.jit(run.experiment.numbers)
  numbers = numbers_of(state.update)
  state, scalars = step(state, numbers, pool, fixed)
  _wait(scalars)

  bare, whole, waits = [], [], []
  for _ in range(_ROUNDS.value):
    began = time.perf_counter()
    for _ in range(_STEPS.value):
      state, scalars = step(state, numbers, pool, fixed)
      _wait(scalars)
    bare.append((time.perf_counter() - began) / _STEPS.value)

    began, waited, before = time.perf_counter(), 0.0, None
    for _ in range(_STEPS.value):
      asked = time.perf_counter()
      batch = next(batches)
      waited += time.perf_counter() - asked
      state, scalars = step(state, numbers_of(state.update), pool, batch)
      if before:
        _wait(before)
      before = scalars
    _wait(before)
    whole.append((time.perf_counter() - began) / _STEPS.value)
    waits.append(waited / _STEPS.value)

  overhead = [w - b - i for w, b, i in zip(whole, bare, waits, strict=True)]
  rows = table.Table('part', 'median ms', 'least to most', 'share of the step',
                     title=f'{_MODEL.value}, {_BATCH.value} views, n = {_MULTIPLICITY.value}, '
                           f'{_APPLY.value} application, {jax.devices()[0].device_kind}')
  for name, times in (('whole step in the loop', whole), ('device time', bare),
                      ('input wait', waits), ('host overhead', overhead)):
    share = statistics.median(t / w for t, w in zip(times, whole, strict=True))
    rows.add_row(name, f'{1e3 * statistics.median(times):.2f}',
                 f'{1e3 * min(times):.2f} to {1e3 * max(times):.2f}', f'{100 * share:.1f}%')
  console.Console().print(rows)


def _of_images(updates: int) -> ml_collections.ConfigDict:
  config = schema.get_default()
  config.views = _BATCH.value
  config.multiplicity = _MULTIPLICITY.value
  config.budget = f'{updates} updates'
  config.data.apply = _APPLY.value
  config.model = ml_collections.ConfigDict({'name': _MODEL.value})
  return config


def _wait(scalars) -> None:
  np.asarray(scalars['loss'])


if __name__ == '__main__':
  cli.run(main)
