"""From a config to a run that is ready to go: input, derived numbers and experiment."""

import dataclasses
import functools
from typing import Any

import jax
import ml_collections
from rich import table

from nfnets_am import evaluation
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.config import seeds as seeds_lib
from nfnets_am.core import errors
from nfnets_am.core import terminal
from nfnets_am.data import inputs
from nfnets_am.data import orders
from nfnets_am.data import views
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.training import sections
from nfnets_am.training import starts
from nfnets_am.training import step as step_lib


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


def build(config: ml_collections.ConfigDict, *, begins: bool = True) -> Run:
  """Builds a run; everything that is wrong with a config is refused here.

  Args:
    config: see schema.get_default.
    begins: whether the run starts at its first update. From a checkpoint it needs no start, whose
      file may be gone by then.

  Raises:
    ConfigError: one sentence with the key, its value and what is allowed.
    UserError: the data set or what it starts from is missing or unreadable, or the weights are
      those of another model.
  """
  config = sections.complete(config)
  schema.validate(config)
  evaluations = evaluation_lib.of(config, evaluation.EVALUATIONS)
  for one in evaluations:
    if one.split == 'validation' and not config.data.get('validation'):
      raise errors.ConfigError(
          f"evals.{one.name}.split='validation', but data.validation is 0; allowed: held-out "
          'training images')
  dataset = inputs.INPUTS.build(config.data, config.dtype)
  derived = derived_lib.derive(
      config, train_images=dataset.facts.train_examples, devices=jax.device_count(),
      hosts=jax.process_count())
  for one in evaluations:
    derived.interval(f'evals.{one.name}.every', one.every)
  experiment = step_lib.make_experiment(config, derived, dataset.facts, dataset.preparation)
  for check in filter(None, (getattr(one.evaluate, 'check', None) for one in evaluations)):
    check(jax.eval_shape(experiment.init).averages)
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
          host=jax.process_index(), hosts=jax.process_count()),
      seeds=seeds,
      evaluations=evaluations,
      start=starts.STARTS.build(config.start, experiment) if begins else None,
  )


def print_derived(derived: derived_lib.Derived) -> None:
  """Prints the derived numbers as a table."""
  rows = table.Table('derived number', 'value', title='What this config means here')
  for key, value in dataclasses.asdict(derived).items():
    rows.add_row(key, f'{value:,.6g}' if isinstance(value, float)
                 else f'{value:,}' if isinstance(value, int) else str(value))
  terminal.Terminal(stderr=True).print(rows)
