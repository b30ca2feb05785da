"""Where a run starts: at new weights, at a file's, at another run's state; then one bit elsewhere.

A start is made by its factory from its keys, and gives one device's first state. What it reads is
read when the run is built, so that a missing file is refused before any work.
"""

from collections.abc import Callable
from typing import Any

from absl import logging
from etils import epath
import jax
import numpy as np

from nfnets_am.config import schema
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.core import registry
from nfnets_am.models import pretrained
from nfnets_am.models import weights_files
from nfnets_am.storage import checkpoints
from nfnets_am.training import step as step_lib

# backend -> TrainState, placed on all devices.
Start = Callable[[str], step_lib.TrainState]


def fresh(experiment: step_lib.Experiment, *, bit_change: int = -1,
          bit_change_in: str = '') -> Start:
  """New weights, from the init seed.

  Args:
    experiment: of the run.
    bit_change: seed of a change of one weight to a neighbouring float32, see `change_one_bit`; -1
      changes nothing.
    bit_change_in: module of that weight; '' is any.
  """
  _check(experiment, bit_change, bit_change_in)
  return lambda backend: place(
      _changed(experiment.first_state(), bit_change, bit_change_in), backend)


def weights(experiment: step_lib.Experiment, *, file: str, bit_change: int = -1,
            bit_change_in: str = '') -> Start:
  """The weights of a file in DeepMind's layout; heads are new if the classes differ.

  The model's averages are the file's, and the average of the weights starts at both.

  Args:
    experiment: of the run.
    file: see models/weights_files.py.
    bit_change: as of `fresh`.
    bit_change_in: as of `fresh`.

  Raises:
    UserError: the file is missing or damaged, or holds the weights of another model.
  """
  _check(experiment, bit_change, bit_change_in)
  params, averages = weights_files.read(file)(experiment.model.name, experiment.init)
  expected = jax.eval_shape(experiment.init)
  adapt = lambda like: pretrained.adapt(
      params, averages, like.params, like.averages, heads=experiment.model.heads,
      source=f'start.file={file!r}')
  taken, _ = adapt(expected)
  new = [head for head in experiment.model.heads if taken[head] is expected.params[head]]
  if new:
    logging.info('start.file=%r has other classes: %s begins anew', file, ', '.join(new))

  def start(backend):
    state = experiment.begin(*adapt(experiment.first_state()))
    return place(_changed(state, bit_change, bit_change_in), backend)

  return start


def run(experiment: step_lib.Experiment, *, workdir: str, update: int = -1,
        bit_change: int = -1, bit_change_in: str = '') -> Start:
  """Another run's state, which goes on from its update as if it had been this run's.

  Args:
    experiment: of the run.
    workdir: the other run's folder; its model and its optimiser are this run's.
    update: of one of its checkpoints (see checkpoint.at); -1 is the newest.
    bit_change: as of `fresh`.
    bit_change_in: as of `fresh`.

  Raises:
    UserError: there is no such checkpoint, or it is of another model or optimiser; the sentence
      names what is missing or has another shape.
  """
  _check(experiment, bit_change, bit_change_in)
  folder = epath.Path(workdir) / 'checkpoints'
  store = checkpoints.Checkpoints(folder, read_only=True) if folder.is_dir() else None
  there = store.all() if store else []
  chosen = there[-1] if update == -1 and there else update
  if chosen not in there:
    raise errors.UserError(
        f'start.update={update}: {workdir} holds no checkpoint of it; allowed: '
        f'{", ".join(map(str, there)) or "none is there"}')
  if chosen >= experiment.updates:
    raise errors.ConfigError(
        f'start.update={chosen} in a run of {experiment.updates} updates; allowed: an earlier one')
  faults = store.misfit(chosen, experiment.placed_shapes(jax.device_count()))
  if faults:
    raise errors.UserError(
        f'start.workdir={workdir!r}: its state at update {chosen} does not fit this run: {faults}')

  def start(backend):
    state, _ = restore(store, chosen, experiment, backend)
    if bit_change < 0:
      return state
    return state._replace(params=parallel.replicate(
        change_one_bit(state.params, bit_change, bit_change_in)))

  return start


def place(state: step_lib.TrainState, backend: str) -> step_lib.TrainState:
  """Places the first state of one device on all devices; each gets a carry like it."""
  rows = jax.tree.map(
      lambda x: np.tile(np.asarray(x), (jax.local_device_count(),) + (1,) * (x.ndim - 1)),
      state.carry)
  carry = parallel.shard(rows, backend)
  return parallel.replicate(state._replace(carry={}))._replace(carry=carry)


def restore(store: checkpoints.Checkpoints, update: int, experiment: step_lib.Experiment,
            backend: str) -> tuple[step_lib.TrainState, dict[str, Any]]:
  """Returns the state of a checkpoint as a backend's step takes it, and the loop's numbers.

  Raises:
    UserError: the files are damaged or of another model.
  """
  shapes = experiment.placed_shapes(jax.device_count())
  state, loop = store.restore(update, parallel.shardings(step_lib.AXES, shapes))
  return parallel.for_backend(state, step_lib.AXES, backend), loop


def newest(store: checkpoints.Checkpoints, experiment: step_lib.Experiment, backend: str
           ) -> tuple[int, step_lib.TrainState, dict[str, Any]] | None:
  """Returns update, state and the loop's numbers of the newest checkpoint that can be read, if any.

  Raises:
    UserError: there are checkpoints, and none can be read.
  """
  if not store.all():
    return None
  shapes = experiment.placed_shapes(jax.device_count())
  update, state, loop = store.newest(parallel.shardings(step_lib.AXES, shapes))
  return update, parallel.for_backend(state, step_lib.AXES, backend), loop


def change_one_bit(params: Any, seed: int, module: str = '') -> Any:
  """Returns params with one weight moved to the float32 above or below (Summers 2021, sec. 5.4.1).

  Args:
    params: {module: {name: float32 array}}.
    seed: draws the weight, each with the same probability, and whether it moves up or down.
    module: of the weight; '' is any.
  """
  leaves = sorted((m, name) for m, held in params.items() if not module or m == module
                  for name in held)
  sizes = [int(np.prod(params[m][name].shape)) for m, name in leaves]
  words = np.random.Philox(key=np.array([seed, 0], np.uint64)).random_raw(2)
  place = int(words[0] % np.uint64(sum(sizes)))
  ends = np.cumsum(sizes)
  number = int(np.searchsorted(ends, place, side='right'))
  (where, name), place = leaves[number], place - int(ends[number]) + sizes[number]
  changed = np.array(params[where][name], np.float32)
  towards = np.float32(np.inf if words[1] >> np.uint64(63) else -np.inf)
  changed.flat[place] = np.nextafter(changed.flat[place], towards)
  return {**params, where: {**params[where], name: changed}}


def _changed(state: Any, seed: int, module: str) -> Any:
  if seed < 0:
    return state
  params = change_one_bit(state.params, seed, module)
  return state._replace(params=params)


def _check(experiment: step_lib.Experiment, seed: int, module: str) -> None:
  schema.require(seed >= -1, 'start.bit_change', seed, 'a seed from 0 up, or -1 for no change')
  if module:
    if seed == -1:
      raise errors.ConfigError(
          f"start.bit_change_in={module!r} without start.bit_change; allowed: a seed there, or ''")
    known = jax.eval_shape(experiment.init).params
    if module not in known:
      raise errors.ConfigError(
          f'start.bit_change_in={module!r}{registry.did_you_mean(module, known)}; allowed: '
          f'{registry.listed(module, known)}')


STARTS = registry.Registry('start', {'fresh': fresh, 'run': run, 'weights': weights})
