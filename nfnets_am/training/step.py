"""The pure part of training: init and one update; no files, no clocks, no TensorFlow.

The step is written for one device. `parallel.map_step` maps it over all devices; what a device
needs of the others it takes through collectives over the axis 'data'.
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import functools
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import optax

from nfnets_am import models
from nfnets_am import objectives
from nfnets_am.attacks import crafting
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import seeds as seeds_lib
from nfnets_am.core import parallel
from nfnets_am.core import programs as programs_lib
from nfnets_am.data import facts as facts_lib
from nfnets_am.evaluation import evaluator
from nfnets_am.models import model as model_lib
from nfnets_am.models import norms
from nfnets_am.optim import ascents
from nfnets_am.optim import clips
from nfnets_am.optim import ema as ema_lib
from nfnets_am.optim import optimizers
from nfnets_am.optim import penalties
from nfnets_am.optim import sam
from nfnets_am.optim import schedules
from nfnets_am.training import described
from nfnets_am.training import gradient as gradient_lib

Batch = Mapping[str, Any]


class TrainState(NamedTuple):
  """All that a bit-identical continuation needs on the device.

  Attributes:
    update: int32 scalar, updates done.
    params: float32 weights, {module: {name: array}}.
    averages: the model's averages, such as batch statistics; {} for models without.
    carry: what the model carries from update to update for each row, [B, ...]; {} for models
      without. The only part that each device has its own of.
    opt_state: of the optax chain.
    ema: Weights, the average of params and averages, or None.
  """

  update: jax.Array
  params: Any
  averages: Any
  carry: Any
  opt_state: Any
  ema: Any


# Which part of a TrainState each device has its own rows of, see parallel.map_step.
AXES = TrainState(None, None, None, 0, None, None)


@dataclasses.dataclass(frozen=True)
class Experiment:
  """What a device does in an update.

  Attributes:
    model: see models/model.py.
    preparation: the device's end of the input, see data/preparation.py.
    facts: of the input.
    gradient: (params, state, rng, rows, progress) -> (gradient, (state, metrics)), see gradient.py.
    optimizer: (update -> learning rate) -> an optax chain.
    schedule: update -> learning rate.
    ema: cap of the average's decay; 0 is off.
    gradient_norm: whether the gradient's norm is among the metrics.
    updates: of the run.
    seeds: 'init', 'noise' and 'attack' are used here.
    reseed_at: update from which on the noise and the attack have their second seeds.
    rows: of one device.
    attacks: whether the objective attacks images, see attacks/crafting.py.
    programs: compiled for it, and for experiments that differ from it in `seeds` alone.
    of_update: what rows are told of the whole update, see objectives/objective.py, or None.
    watch: metric of an evaluation that the optimiser waits for, see optim/asgd.py; '' for none.
  """

  model: model_lib.Model
  preparation: Any
  facts: facts_lib.Facts
  gradient: gradient_lib.Gradient
  optimizer: Callable[[Callable[..., jax.Array]], optax.GradientTransformation]
  schedule: Callable[[jax.typing.ArrayLike], jax.Array]
  ema: float
  gradient_norm: bool
  updates: int
  seeds: seeds_lib.Seeds
  reseed_at: int
  rows: int
  attacks: bool = False
  programs: programs_lib.Programs = dataclasses.field(
      default_factory=programs_lib.Programs, compare=False, repr=False)
  of_update: Callable[..., Any] | None = None
  watch: str = ''

  @property
  def averages_weights(self) -> bool:
    """Whether an average of the weights is kept and evaluated."""
    return bool(self.ema or self.watch)

  def first_state(self) -> TrainState:
    """Returns one device's first state with new weights; depends on the init seed alone."""
    # The seed is an argument, so that seeds share a compiled program.
    return self.programs.get('init', lambda: jax.jit(self.init))(np.uint32(self.seeds.init))

  def init(self, seed: jax.typing.ArrayLike = 0) -> TrainState:
    """As `first_state`, of a seed; pure, for shapes and for compiling."""
    rng = jax.random.key(seed)
    inputs = self.model.blank(1, self.facts.row_shape, _init_dtype(self.facts.row_dtype))
    params, state = self.model.init(rng, inputs, model_lib.TRAINING)
    return self.begin(params, state.averages)

  def begin(self, params: Any, averages: Any) -> TrainState:
    """Returns one device's first state with these weights."""
    ema = ema_lib.init_ema(evaluator.Weights(params, averages)) if self.ema else None
    return TrainState(
        update=jnp.zeros((), jnp.int32), params=params, averages=averages,
        carry=self.model.init_carry(self.rows),
        opt_state=self.optimizer(self.schedule).init(params), ema=ema)

  def placed_shapes(self, devices: int) -> TrainState:
    """Returns the shapes of a state that is placed on so many devices; no weight is allocated."""
    one = jax.eval_shape(self.init)
    return one._replace(carry=jax.tree.map(
        lambda x: jax.ShapeDtypeStruct((devices, *x.shape), x.dtype), one.carry))

  def numbers(self, update: jax.Array) -> dict[str, jax.Array]:
    """What an update takes of the schedule, the budget and the seeds.

    They are arguments of the step and no constants in it, so that runs which differ in nothing else
    share a compiled program.

    Args:
      update: int32 scalar, updates done.

    Returns:
      'learning_rate' and 'progress', float32 scalars, and 'noise', the data of a random key; where
      images are attacked also 'attack', that of another.
    """
    found = {'learning_rate': jnp.asarray(self.schedule(update), jnp.float32),
             'progress': jnp.asarray(update, jnp.float32) / self.updates}
    for source in ('noise', 'attack') if self.attacks else ('noise',):
      rng = jax.random.fold_in(self._key(source, update), update)
      found[source] = jax.random.key_data(rng)
    return found

  def compiled_numbers(self) -> Callable[[jax.Array], dict[str, jax.Array]]:
    """Returns `numbers` as a program."""
    of = dataclasses.replace(self.seeds, init=0, shuffle=0, augment=0)
    return self.programs.get('numbers', lambda: jax.jit(self.numbers), of=of)

  def compiled_step(self, backend: str) -> Callable[..., tuple[TrainState, dict[str, jax.Array]]]:
    """Returns `train_step` mapped over all devices; see parallel.map_step."""
    return self.programs.get('step', lambda: map_train_step(self, backend), of=backend)

  def train_step(
      self, train_state: TrainState, numbers: Mapping[str, jax.Array], pool: jax.Array | None,
      batch: Batch) -> tuple[TrainState, dict[str, jax.Array]]:
    """One update, as one device sees it.

    Args:
      train_state: the same on all devices, but for its carry.
      numbers: of `numbers`, at the state's update.
      pool: what rows are gathered from on the device, or None.
      batch: this device's rows, as the preparation's `pack` left them.

    Returns:
      The next state, and float32 scalars, the same on all devices: the objective's metrics and
      'learning_rate'.
    """
    grads, state, metrics = self.update_gradient(train_state, numbers, pool, batch)
    if self.gradient_norm:
      metrics['gradient_norm'] = optax.tree.norm(grads)
    optimizer = self.optimizer(lambda update: numbers['learning_rate'])
    updates, opt_state = optimizer.update(
        grads, train_state.opt_state, train_state.params, metrics=metrics)
    params = optax.apply_updates(train_state.params, updates)
    ema = train_state.ema
    if self.ema:
      ema = ema_lib.update_ema(
          ema, evaluator.Weights(params, state.averages), train_state.update, self.ema)
    metrics['learning_rate'] = numbers['learning_rate']
    return TrainState(
        train_state.update + 1, params, state.averages, state.carry, opt_state, ema), metrics

  def update_gradient(
      self, train_state: TrainState, numbers: Mapping[str, jax.Array], pool: jax.Array | None,
      batch: Batch) -> tuple[Any, model_lib.State, dict[str, jax.Array]]:
    """The gradient of an update, before clipping; arguments as of train_step.

    Returns:
      The gradient like the parameters, the model's next state, and the objective's metrics: means
      over all devices, but for the carry and for integers.
    """
    rows = self.preparation.prepare(pool, batch)
    rng = jax.random.wrap_key_data(numbers['noise'])
    if self.of_update:
      rows = self.of_update(rng, rows)
    device = jax.lax.axis_index(parallel.AXIS)
    rng = jax.random.fold_in(rng, device)
    if self.attacks:
      rows_here = len(rows['label'])
      # By a row's number over all devices, so that it is attacked alike however many there are.
      rows['attack'] = crafting.keys_of_rows(
          jax.random.wrap_key_data(numbers['attack']), device * rows_here, rows_here)
    state = model_lib.State(train_state.averages, train_state.carry)
    grads, (state, metrics) = self.gradient(
        train_state.params, state, rng, rows, numbers['progress'])
    grads, metrics = jax.lax.pmean((grads, metrics), parallel.AXIS)
    return grads, state._replace(averages=parallel.mean_over_devices(state.averages)), metrics

  def _key(self, source: str, update: jax.Array) -> jax.Array:
    first, again = (self.seeds.at(source, epoch) for epoch in (-1, self.seeds.again_from))
    if first == again:
      return jax.random.key(first)
    return jax.random.key(jnp.where(update < self.reseed_at, first, again))


def map_train_step(experiment: Experiment, backend: str, devices: Any = None
                   ) -> Callable[..., tuple[TrainState, dict[str, jax.Array]]]:
  """Returns an experiment's update over all devices, or those given; see parallel.map_step."""
  return parallel.map_step(
      experiment.train_step, backend, in_axes=(AXES, None, None, 0), out_axes=(AXES, None),
      donate=(0,), devices=devices)


def _init_dtype(dtype: Any) -> Any:
  """Weights are made in float32, whatever the model computes in; tokens stay integers."""
  dtype = jnp.dtype(dtype)
  return jnp.float32 if jnp.issubdtype(dtype, jnp.floating) else dtype


def make_experiment(
    config: ml_collections.ConfigDict, derived: derived_lib.Derived, facts: facts_lib.Facts,
    preparation: Any) -> Experiment:
  """Builds what a config describes; touches no device.

  Args:
    config: complete (training/sections.py) and validated.
    derived: the derived numbers.
    facts: of the input.
    preparation: of the input.

  Raises:
    ConfigError: an unknown name or argument, or a value out of its range.
  """
  model = models.MODELS.build(config.model, facts.outputs)
  objective = objectives.OBJECTIVES.build(config.objective)
  apply, preparation = crafting.bind(objective, model.apply, preparation, stored=False)
  keys = described.in_updates(derived, 'schedule', config, schedules.SCHEDULES)
  schedule = schedules.SCHEDULES.make(keys.pop('name'), keys.pop('peak'), derived.updates, **keys)
  penalty = penalties.parse(config.penalty)

  def loss(params, state, rng, rows, progress):
    value, aux = objective(apply, params, state, rng, rows, progress)
    return (value + penalty(params) if penalty else value), aux

  layout = config.data.get('layout', 'image_major')
  if 'norm' in config.model:
    norms.check_images(config.model.norm, described.images_of_rows(derived, layout))
  rows = sam.RowsOfDevice(
      derived.views_per_device, derived.copies_per_host, layout, derived.accumulate,
      carry=bool(jax.eval_shape(lambda: model.init_carry(1))))
  gradient = gradient_lib.of(
      loss, accumulate=derived.accumulate, ascent=ascents.ASCENTS.build(config.ascent, rows))
  clip = clips.CLIPS.build(config.clip, model.head)
  keys = described.in_updates(derived, 'optimizer', config, optimizers.OPTIMIZERS)
  make = functools.partial(optimizers.OPTIMIZERS.make, keys.pop('name'))
  optimizer = lambda schedule: optax.chain(clip, make(schedule, **keys))
  optimizer(schedule)  # Refuses what is wrong with its keys.
  seeds = seeds_lib.of(config)
  return Experiment(
      model=model, preparation=preparation, facts=facts, gradient=gradient,
      optimizer=optimizer, schedule=schedule,
      ema=config.ema, gradient_norm=config.gradient_norm, updates=derived.updates, seeds=seeds,
      reseed_at=seeds.again_from * derived.updates_per_pass, rows=derived.views_per_device,
      attacks=isinstance(objective, crafting.OfPixels),
      of_update=getattr(objective, 'of_update', None), watch=config.optimizer.get('watch', ''))
