"""The pure part of training: init, train_step and eval_step; no files, no clocks, no TensorFlow.

The steps are written for one device. `parallel.map_step` maps them over all devices; what a device
needs of the others it takes through collectives over the axis 'data'.
"""

from collections.abc import Mapping
import dataclasses
from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from nfnets_am import models
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import reading
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.data import hand_over as hand_over_lib
from nfnets_am.data import ops
from nfnets_am.data.memory import batches as memory_batches
from nfnets_am.evaluation import sums
from nfnets_am.models import model as model_lib
from nfnets_am.models import pretrained
from nfnets_am.objectives import classification
from nfnets_am.optim import ema as ema_lib
from nfnets_am.optim import optimizer as optimizer_lib
from nfnets_am.optim import sam as sam_lib
from nfnets_am.optim import schedules

Batch = Mapping[str, Any]


class TrainState(NamedTuple):
  """All that a bit-identical continuation needs on the device.

  Attributes:
    update: int32 scalar, updates done.
    params: float32 weights, {module: {name: array}}.
    state: the model's state (batch statistics; empty for the models without normalisers).
    opt_state: of the optax chain.
    ema: average of the parameters, or None.
  """

  update: jax.Array
  params: Any
  state: Any
  opt_state: Any
  ema: Any


@dataclasses.dataclass(frozen=True)
class Experiment:
  """A model, its loss and its optimiser, ready to be stepped.

  Attributes:
    model: see models.create_model.
    optimizer: an optax chain; its learning rate follows `schedule`.
    schedule: update -> learning rate.
    loss: per row, see classification.LOSSES.
    augmentation: its ops from `normalise` on run in the step.
    hand_over: how images come from the host.
    mean, std: of the data set, per channel, in [0, 1].
    image_shape: (H, W, C).
    dtype: of images and activations; weights stay float32.
    l2, l2_mask: coefficient and mask name of the penalty in the loss.
    sam: options of sam.sam_gradient, or None.
    ema: cap of the average's decay; 0 is off.
    accumulate: micro-batches of a step.
    seeds: {'init', 'noise'} are used here.
  """

  model: models.Model
  optimizer: optax.GradientTransformation
  schedule: optax.Schedule
  loss: classification.Loss
  augmentation: ops.Augmentation
  hand_over: hand_over_lib.HandOver
  mean: tuple[float, ...]
  std: tuple[float, ...]
  image_shape: tuple[int, int, int]
  dtype: Any
  l2: float
  l2_mask: str
  sam: Mapping[str, Any] | None
  ema: float
  accumulate: int
  seeds: Mapping[str, int]

  def init(self, weights: Any = None) -> TrainState:
    """Returns the first state; depends on the init seed and `weights` alone.

    Args:
      weights: to start from instead of new ones, see pretrained.adapt.
    """
    rng = jax.random.key(self.seeds['init'])
    images = jnp.zeros((1,) + self.image_shape, jnp.float32)
    params, state = self.model.init(rng, images)
    if weights is not None:
      params, averages = pretrained.adapt(
          *weights, params, state.averages, head=self.model.head)
      state = state._replace(averages=averages)
    return TrainState(
        update=jnp.zeros((), jnp.int32), params=params, state=state,
        opt_state=self.optimizer.init(params),
        ema=ema_lib.init_ema(params) if self.ema else None)

  def train_step(
      self, train_state: TrainState, pool: jax.Array | None, batch: Batch,
  ) -> tuple[TrainState, dict[str, jax.Array]]:
    """One update, as one device sees it.

    Args:
      train_state: the same on all devices.
      pool: the training images uint8 [N, H, W, C] if views are drawn on the device, else None.
      batch: this device's rows, see data.pipeline, as hand_over.pack left them.

    Returns:
      The next state and float32 scalars, both the same on all devices: 'loss' (cross-entropy as
      trained on, without L2) and 'top1' over the update's views, 'learning_rate'.
    """
    grads, state, metrics = self.gradient(train_state, pool, batch)
    updates, opt_state = self.optimizer.update(grads, train_state.opt_state, train_state.params)
    params = optax.apply_updates(train_state.params, updates)
    ema = train_state.ema
    if self.ema:
      ema = ema_lib.update_ema(ema, params, train_state.update, self.ema)
    metrics['learning_rate'] = jnp.asarray(self.schedule(train_state.update), jnp.float32)
    return TrainState(train_state.update + 1, params, state, opt_state, ema), metrics

  def gradient(
      self, train_state: TrainState, pool: jax.Array | None, batch: Batch,
  ) -> tuple[Any, Any, dict[str, jax.Array]]:
    """The gradient of an update, before clipping; arguments as of train_step.

    Returns:
      The gradient like the parameters, the model's next state, and 'loss' and 'top1': means over
      all devices.
    """
    if pool is not None:
      batch = memory_batches.apply_on_device(self.augmentation, pool, batch)
    images = self.hand_over.unpack(batch['image'])
    if not self.hand_over.normalised:
      images = self.augmentation.finish(images, batch['draws'], self.mean, self.std)
    rows = {key: value for key, value in batch.items() if key not in ('image', 'draws', 'example')}
    rows['image'] = images.astype(self.dtype)

    rng = jax.random.fold_in(jax.random.key(self.seeds['noise']), train_state.update)
    rng = jax.random.fold_in(rng, jax.lax.axis_index(parallel.AXIS))
    params = train_state.params

    def gradient(params, rows):
      return self._gradient(params, train_state.state, rng, rows)

    if self.sam is None:
      grads, (state, metrics) = gradient(params, rows)
    else:
      grads, (state, metrics) = sam_lib.sam_gradient(
          gradient, params, rows, axis_name=parallel.AXIS, **self.sam)
    return jax.lax.pmean((grads, state, metrics), parallel.AXIS)

  def eval_step(self, params: Any, state: Any, batch: Batch) -> dict[str, jax.Array]:
    """Sums over all devices' examples that count; see sums.evaluation_sums.

    Args:
      params: raw or averaged weights.
      state: the model's state.
      batch: this device's 'image' uint8 [B, H, W, C], 'label' int32 [B], 'mask' float32 [B].
    """
    images = self.augmentation.finish(batch['image'], {}, self.mean, self.std).astype(self.dtype)
    outputs, _ = self.model.apply(params, state, None, images, model_lib.EVALUATION)
    return jax.lax.psum(sums.evaluation_sums(outputs.logits, batch), parallel.AXIS)

  def _gradient(self, params, state, rng, rows):
    """Mean gradient over a device's rows, and (model state, metrics); in micro-batches if asked."""

    def loss_fn(params, state, rng, rows):
      outputs, state = self.model.apply(
          params, state, rng, rows['image'], model_lib.TRAINING)
      logits = outputs.logits
      loss = self.loss(logits, rows).mean()
      top1 = (logits.argmax(axis=-1) == rows['label']).mean(dtype=jnp.float32)
      penalty = self.l2 * optimizer_lib.l2_penalty(params, self.l2_mask) if self.l2 else 0.0
      return loss + penalty, (state, {'loss': loss, 'top1': top1})

    gradient = jax.grad(loss_fn, has_aux=True)
    if self.accumulate == 1:
      return gradient(params, state, rng, rows)

    def add(carry, part):
      state, sums = carry
      index, rows = part
      grads, (state, metrics) = gradient(params, state, jax.random.fold_in(rng, index), rows)
      return (state, jax.tree.map(jnp.add, sums, (grads, metrics))), None

    parts = self.accumulate
    rows = jax.tree.map(lambda x: x.reshape((parts, x.shape[0] // parts) + x.shape[1:]), rows)
    zeros = (jax.tree.map(jnp.zeros_like, params), {'loss': jnp.zeros(()), 'top1': jnp.zeros(())})
    (state, sums), _ = jax.lax.scan(add, (state, zeros), (jnp.arange(parts), rows))
    grads, metrics = jax.tree.map(lambda x: x / parts, sums)
    return grads, (state, metrics)


def make_experiment(
    config: reading.ReadConfig, derived: derived_lib.Derived, *, num_classes: int,
    image_shape: tuple[int, int, int], mean: tuple[float, ...], std: tuple[float, ...],
    augmentation: ops.Augmentation,
) -> Experiment:
  """Builds what a config describes; touches no device.

  Args:
    config: validated.
    derived: the derived numbers.
    num_classes: K.
    image_shape: (H, W, C) of a view.
    mean, std: per channel, in [0, 1].
    augmentation: parsed from config.data.augment.

  Raises:
    ConfigError: an unknown name or argument of a model, a loss or a schedule.
  """
  schedule_kwargs = config.schedule.kwargs()
  for key, value in schedule_kwargs.items():
    if isinstance(value, str) and key != 'name':
      schedule_kwargs[key] = derived.to_updates(f'schedule.{key}', value)
  schedule = schedules.SCHEDULES.make(
      schedule_kwargs.pop('name'), schedule_kwargs.pop('peak'), derived.updates, **schedule_kwargs)

  decay_mask = 'all'
  if config.optimizer.l2 or config.optimizer.weight_decay:
    decay_mask = config.optimizer.decay_mask
  agc = {}
  if config.optimizer.agc_clip:
    agc = {'agc_clip': config.optimizer.agc_clip, 'agc_eps': config.optimizer.agc_eps}
  optimizer = optimizer_lib.make_optimizer(
      schedule, momentum=config.optimizer.momentum, nesterov=config.optimizer.nesterov,
      weight_decay=config.optimizer.weight_decay, decay_mask=decay_mask, **agc)

  ascent = None
  if config.sam.rho:
    ascent = {'rho': config.sam.rho, 'synchronised': config.sam.synchronised}
    if config.sam.fraction < 1:
      ascent['rows'] = sam_lib.ascent_rows(
          derived.views_per_device, derived.copies_per_host, config.data.layout,
          config.sam.fraction)
      if len(ascent['rows']) % derived.accumulate:
        raise errors.ConfigError(
            f'accumulate={derived.accumulate} does not divide the {len(ascent["rows"])} views of '
            f'sam.fraction={config.sam.fraction}')

  model_kwargs = config.model.kwargs()
  loss_kwargs = config.loss.kwargs()
  return Experiment(
      model=models.create_model(model_kwargs.pop('name'), num_classes, **model_kwargs),
      optimizer=optimizer,
      schedule=schedule,
      loss=classification.LOSSES.make(loss_kwargs.pop('name'), **loss_kwargs),
      augmentation=augmentation,
      hand_over=hand_over_lib.make_hand_over(
          config.data, augmentation, dtype=config.dtype, mean=mean, std=std),
      mean=mean,
      std=std,
      image_shape=image_shape,
      dtype=jnp.dtype(config.dtype),
      l2=config.optimizer.l2,
      l2_mask=decay_mask,
      sam=ascent,
      ema=config.ema,
      accumulate=derived.accumulate,
      seeds=reading.seeds(config),
  )
