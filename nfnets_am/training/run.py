"""From a config to a run that is ready to go: data, derived numbers and experiment."""

import dataclasses

import jax
import ml_collections
from rich import console
from rich import table

from nfnets_am.config import derived as derived_lib
from nfnets_am.config import reading
from nfnets_am.config import schema
from nfnets_am.data import inputs
from nfnets_am.data import ops
from nfnets_am.data import views
from nfnets_am.models import pretrained
from nfnets_am.training import step as step_lib


@dataclasses.dataclass(frozen=True)
class Run:
  """What a config describes, built and checked; no device has computed anything yet.

  Attributes:
    dataset: what is read, in memory or streamed.
    derived: the derived numbers.
    experiment: the pure part.
    plan: which images and views an update holds.
    seeds: the four seeds.
    backend: 'pmap' or 'shard_map'.
    eval_splits: what is evaluated.
    keep, best: checkpoints that stay, see checkpoints.Checkpoints.
    tensorboard: whether to write events too.
    weights: to start from, parameters and averages, or None.
  """

  dataset: inputs.Input
  derived: derived_lib.Derived
  experiment: step_lib.Experiment
  plan: views.ViewPlan
  seeds: dict[str, int]
  backend: str
  eval_splits: tuple[str, ...]
  keep: int
  best: str
  tensorboard: bool
  weights: tuple[pretrained.Weights, pretrained.Weights] | None


def build(config: ml_collections.ConfigDict, *, begins: bool = True) -> Run:
  """Builds a run; everything that is wrong with a config is refused here.

  Args:
    config: see config.get_default.
    begins: whether the run starts at its first update. From a checkpoint it needs no `init_from`,
      whose file may be gone by then.

  Raises:
    ConfigError: one sentence with the key, its value and what is allowed.
    UserError: the data set or the weights file is missing or unreadable, or the weights are those
      of another model.
  """
  schema.validate(config)
  read = reading.ReadConfig(config)
  seeds = reading.seeds(read)
  augmentation = ops.parse(read.data.augment)
  dataset = inputs.open_input(read.data, augmentation)
  derived = derived_lib.derive(
      read, train_images=dataset.train_images, devices=jax.device_count(),
      hosts=jax.process_count())
  experiment = step_lib.make_experiment(
      read, derived, num_classes=dataset.num_classes, image_shape=dataset.image_shape,
      mean=dataset.mean, std=dataset.std, augmentation=augmentation)
  weights = None
  if read.init_from and begins:
    weights = pretrained.load(read.init_from)
    expected = jax.eval_shape(experiment.init)
    pretrained.adapt(*weights, expected.params, expected.state.averages,
                     head=experiment.model.head, source=f'init_from={read.init_from!r}')
  run = Run(
      dataset=dataset,
      derived=derived,
      experiment=experiment,
      plan=dataset.plan(
          unique=derived.unique, multiplicity=derived.multiplicity,
          neighbouring=derived.scheme == 'neighbouring', shuffle_seed=seeds['shuffle'],
          layout=read.data.layout, host_group=read.data.host_group,
          host=jax.process_index(), hosts=jax.process_count()),
      seeds=seeds,
      backend=read.backend,
      eval_splits=tuple(read.eval.splits),
      keep=read.checkpoint.keep,
      best=read.checkpoint.best,
      tensorboard=read.tensorboard,
      weights=weights,
  )
  read.refuse_unread()
  return run


def print_derived(derived: derived_lib.Derived) -> None:
  """Prints the derived numbers as a table."""
  rows = table.Table('derived number', 'value', title='What this config means here')
  for key, value in dataclasses.asdict(derived).items():
    rows.add_row(key, f'{value:,.6g}' if isinstance(value, float)
                 else f'{value:,}' if isinstance(value, int) else str(value))
  console.Console(stderr=True).print(rows)
