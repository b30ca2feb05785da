"""From a config to a run that is ready to go: input, derived numbers and experiment."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
from rich import table

from nfnets_am import evaluation
from nfnets_am.attacks import crafting
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.config import seeds as seeds_lib
from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.core import terminal
from nfnets_am.data import facts as facts_lib
from nfnets_am.data import inputs
from nfnets_am.data import known
from nfnets_am.data import orders
from nfnets_am.data import views
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.models import model as model_lib
from nfnets_am.storage import sinks
from nfnets_am.training import sections
from nfnets_am.training import starts
from nfnets_am.training import step as step_lib
from nfnets_am.training import warm as warm_lib


@dataclasses.dataclass(frozen=True)
class Run:
  """What a config describes, built and checked; no device has computed anything yet.

  Attributes:
    config: complete.
    dataset: what is read.
    derived: the derived numbers.
    experiment: the pure part.
    plan: which examples and views an update holds.
    seeds: see config/seeds.py.
    evaluations: what is evaluated, in order.
    start: places the first state; None for a run that goes on from its own checkpoint.
  """

  config: ml_collections.ConfigDict
  dataset: inputs.Input
  derived: derived_lib.Derived
  experiment: step_lib.Experiment
  plan: views.ViewPlan
  seeds: seeds_lib.Seeds
  evaluations: tuple[evaluation_lib.Evaluation, ...]
  start: Any

  @property
  def backend(self) -> str:
    """'pmap' or 'shard_map'."""
    return self.config.backend


def check(config: ml_collections.ConfigDict, *, devices: int, hosts: int
          ) -> tuple[evaluation_lib.Evaluation, ...]:
  """Refuses what is wrong whatever lies in the data's files: all, where their sizes are known.

  Args:
    config: complete.
    devices: over all hosts.
    hosts: at least 1.

  Returns:
    Its evaluations, in order.

  Raises:
    ConfigError: as of `build`.
  """
  schema.validate(config)
  sinks.check(config.sinks)
  schema.require(not (config.ema and 'watch' in config.optimizer), 'ema', config.ema,
                 f'0 with optimizer.name={config.optimizer.name!r}, which has its own average')
  evaluations = evaluation_lib.of(config, evaluation.EVALUATIONS)
  for one in evaluations:
    # A text has its own.
    if one.split == 'validation' and not config.data.get('validation', True):
      raise errors.ConfigError(
          f"evals.{one.name}.split='validation', but data.validation is 0; allowed: held-out "
          'training images')
  found = known.training_set(config.data) if 'set' in config.data else None
  if found:
    facts = facts_lib.Facts(
        found.train_images, found.num_classes, found.image_shape, config.dtype)
    _describe(config, evaluations, facts, None, devices, hosts)
  return evaluations


def _describe(config: ml_collections.ConfigDict,
              evaluations: tuple[evaluation_lib.Evaluation, ...], facts: facts_lib.Facts,
              preparation: Any, devices: int, hosts: int
              ) -> tuple[derived_lib.Derived, step_lib.Experiment]:
  schema.require(config.dtype == 'float32' or not jnp.issubdtype(facts.row_dtype, jnp.integer),
                 'dtype', config.dtype, "'float32' for models of text")
  derived = derived_lib.derive(
      config, train_images=facts.train_examples, devices=devices, hosts=hosts,
      pass_of=facts.pass_of)
  for one in evaluations:
    derived.interval(f'evals.{one.name}.every', one.every)
    for text in one.keep_at:
      key = f'evals.{one.name}.keep_at'
      if derived.interval(key, text) > derived.updates:
        raise errors.ConfigError(
            f'{key} has {text!r} in a run of {derived.updates} updates; allowed: up to its end')
  return derived, step_lib.make_experiment(config, derived, facts, preparation)


def build(config: ml_collections.ConfigDict, *, begins: bool = True,
          dataset: inputs.Input | None = None, devices: int = 0, hosts: int = 0,
          warm: warm_lib.Warm | None = None) -> Run:
  """Builds a run; everything that is wrong with a config is refused here.

  Args:
    config: see schema.get_default.
    begins: whether the run starts at its first update. From a checkpoint it needs no start, whose
      file may be gone by then.
    dataset: what its section `data` names, where that is open already.
    devices, hosts: that it is to run on; 0 is those that are here.
    warm: what runs of this process hand on; this one takes it over as far as it can, and leaves
      its own.

  Raises:
    ConfigError: one sentence with the key, its value and what is allowed.
    UserError: the data set or what it starts from is missing or unreadable, or the weights are
      those of another model.
  """
  config = sections.complete(config)
  devices, hosts = devices or jax.device_count(), hosts or jax.process_count()
  evaluations = check(config, devices=devices, hosts=hosts)
  if warm:
    warm.turn_to(config)
    dataset = dataset or warm.dataset
  dataset = dataset or inputs.INPUTS.build(config.data, config.dtype)
  for one in evaluations:
    one.batches_of(dataset)  # Refuses views that the input lacks.
  derived, experiment = _describe(
      config, evaluations, dataset.facts, dataset.preparation, devices, hosts)
  if warm:
    warm.dataset = dataset
    experiment = dataclasses.replace(experiment, programs=warm.programs)
  if begins:
    for key, metric in (('checkpoint.best', config.checkpoint.best),
                        ('optimizer.watch', experiment.watch)):
      if metric:
        _check_measured(key, metric, evaluations, experiment)
  for weighs in filter(None, (getattr(one.evaluate, 'check', None) for one in evaluations)):
    weighs(jax.eval_shape(experiment.init).averages)
  seeds = seeds_lib.of(config)
  order = config.order.to_dict()
  ordering = functools.partial(orders.ORDERS[order.pop('name')], **order)
  return Run(
      config=config,
      dataset=dataset,
      derived=derived,
      experiment=experiment,
      plan=dataset.plan(
          ordering, unique=derived.unique, multiplicity=derived.multiplicity,
          neighbouring=derived.scheme == 'neighbouring', shuffle_seed=seeds.shuffle,
          # Of hosts that are elsewhere the first one's part is looked at.
          host=jax.process_index() if hosts == jax.process_count() else 0, hosts=hosts),
      seeds=seeds,
      evaluations=evaluations,
      start=starts.STARTS.build(config.start, experiment) if begins else None,
  )


def _check_measured(key: str, chosen: str, evaluations: tuple[evaluation_lib.Evaluation, ...],
                    experiment: step_lib.Experiment) -> None:
  """Refuses a key's metric that no evaluation measures; traces, and computes nothing."""
  name, _, metric = chosen.partition('/')
  of_name = [one for one in evaluations if one.name == name]
  if not of_name:
    raise errors.ConfigError(
        f'{key}={chosen!r} is of no evaluation; evals holds '
        f'{", ".join(one.name for one in evaluations) or "none"}')
  (one,) = of_name
  measured = _metrics_of(one, experiment)
  if experiment.averages_weights:
    measured += [quantities.EMA + name for name in measured]
  if metric not in measured:
    hint = ', or others with ema over 0' if metric.startswith(quantities.EMA) else ''
    raise errors.ConfigError(
        f'{key}={chosen!r} is not measured here; allowed: '
        f'{", ".join(f"{name}/{found}" for found in measured)}{hint}')


def _metrics_of(one: evaluation_lib.Evaluation, experiment: step_lib.Experiment) -> list[str]:
  """Returns the names of what an evaluation measures; traces it, and computes nothing."""
  if one.of_sentences:
    return [*one.evaluate.metrics]
  state = jax.eval_shape(experiment.init)
  batch = _row_of(one, experiment)
  apply, _ = crafting.bind(
      one.evaluate, experiment.model.apply, experiment.preparation, stored=True)

  def values(params, averages, batch):
    held = model_lib.State(averages, experiment.model.init_carry(1))
    batch = {**batch, 'attack': crafting.keys_of_rows(jax.random.key(0), 0, 1)}
    return one.evaluate(apply, params, held, jax.random.key(0), batch)[0]

  counted = jax.eval_shape(values, state.params, state.averages, batch)
  return [*one.finish(dict.fromkeys(counted, 0.0))]


def _row_of(one: evaluation_lib.Evaluation, experiment: step_lib.Experiment) -> dict[str, Any]:
  """Returns the shapes of a row as an evaluation is given it."""
  facts, preparation = experiment.facts, experiment.preparation
  number = jax.ShapeDtypeStruct((1,), jnp.int32)
  if one.of_tokens:
    rows = jax.eval_shape(preparation.prepare_stored, preparation.batch_spec(1))
    return {**rows, 'example': number}
  batch = {'inputs': jax.ShapeDtypeStruct((1, *facts.row_shape), facts.row_dtype),
           'label': number, 'mask': jax.ShapeDtypeStruct((1,), jnp.float32), 'example': number}
  if len(facts.row_shape) == 3:
    batch['black'] = jax.ShapeDtypeStruct((1, 1, 1, facts.row_shape[-1]), facts.row_dtype)
  return batch


def print_derived(derived: derived_lib.Derived) -> None:
  """Prints the derived numbers as a table."""
  rows = table.Table('derived number', 'value', title='What this config means here')
  for key, value in dataclasses.asdict(derived).items():
    rows.add_row(key, f'{value:,.6g}' if isinstance(value, float)
                 else f'{value:,}' if isinstance(value, int) else str(value))
  terminal.Terminal(stderr=True).print(rows)
