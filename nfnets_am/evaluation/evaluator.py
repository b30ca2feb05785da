"""Runs evaluations: every example of a split exactly once, for any batch size and device count."""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
import itertools
import math
from typing import Any
from typing import NamedTuple
import zlib

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.attacks import crafting
from nfnets_am.core import parallel
from nfnets_am.core import programs as programs_lib
from nfnets_am.data import inputs
from nfnets_am.evaluation import evaluation as evaluation_lib
from nfnets_am.evaluation import predictions as predictions_lib
from nfnets_am.models import model as model_lib
from nfnets_am.optim import asgd


class Weights(NamedTuple):
  """Both kinds of weights.

  Attributes:
    params: {module: {name: float32 array}}.
    averages: the model's averages, see models/model.py.
  """

  params: Any
  averages: Any


def eval_step(evaluation: evaluation_lib.Evaluation, model: model_lib.Model, preparation: Any
              ) -> Callable[..., Any]:
  """Returns one device's evaluation of a batch.

  Args:
    evaluation: what is evaluated.
    model: of the weights.
    preparation: of the input.

  Returns:
    (weights, number of the batch, seed, batch, carry) -> (sums, predictions, carry): over all
    devices' rows whose 'mask' is 1, float32 scalars of each metric and their number 'examples';
    what is predicted of each row of this device, {} unless it is kept; and the carry of its rows
    for the next batch, {} but for text. Images begin with a carry of their own.
  """
  apply, preparation = crafting.bind(evaluation.evaluate, model.apply, preparation, stored=True)

  def step(weights: Weights, number: jax.Array, seed: jax.Array, batch: Mapping[str, Any],
           carry: Any):
    rows = preparation.prepare_stored(batch) | _more(preparation, number, batch)
    count = len(batch['mask'])
    key = jax.random.key(seed)
    device, devices = jax.lax.axis_index(parallel.AXIS), jax.lax.axis_size(parallel.AXIS)
    if evaluation.attacks:
      # By an example's place in the split, whatever the size of batches and the devices are.
      first = (number * devices + device) * count
      rows['attack'] = crafting.keys_of_rows(key, first, count)
    rng = jax.random.fold_in(jax.random.fold_in(key, number), device)
    state = model_lib.State(
        weights.averages, carry if evaluation.of_tokens else model.init_carry(count))
    values, predicted, *after = evaluation.evaluate(apply, weights.params, state, rng, rows)
    sums = {name: (batch['mask'] * value).sum() for name, value in values.items()}
    mask = batch['mask'].any(axis=1) if evaluation.of_sentences else batch['mask']
    sums['examples'] = mask.sum()
    kept = evaluation.keep or evaluation.of_sentences
    return (jax.lax.psum(sums, parallel.AXIS), predicted if kept else {},
            after[0].carry if after else {})

  return step


class Evaluator:
  """One evaluation of a run, compiled once for all its weights."""

  def __init__(self, evaluation: evaluation_lib.Evaluation, model: model_lib.Model,
               dataset: inputs.Input, *, backend: str, seed: int,
               programs: programs_lib.Programs | None = None):
    """Compiles nothing yet.

    Args:
      evaluation, model: as of `eval_step`.
      dataset: whose splits are read.
      backend: 'pmap' or 'shard_map'.
      seed: of what the evaluation draws.
      programs: of the run; another run's of the same model, data and evaluations will do.
    """
    if evaluation.of_sentences:
      evaluation = dataclasses.replace(
          evaluation, evaluate=evaluation.evaluate.bind(dataset.vocabulary))
    self._evaluation, self._dataset, self._backend = evaluation, dataset, backend
    self._model = model
    self._batches = evaluation.batches_of(dataset)
    # An argument of the step, so that runs with other seeds share it.
    self._seed = np.uint32(zlib.crc32(f'{evaluation.name} {seed}'.encode()))
    self._step = (programs or programs_lib.Programs()).get(
        f'evals.{evaluation.name}', lambda: parallel.map_step(
            eval_step(evaluation, model, dataset.preparation), backend,
            in_axes=(None, None, None, 0, 0), out_axes=(None, 0, 0)), of=backend)

  def evaluate(self, weights: Mapping[str, Weights]
               ) -> tuple[dict[str, float], predictions_lib.Predictions | None]:
    """Evaluates several sets of weights in one pass over the split.

    Args:
      weights: prefix -> weights on all devices, such as {'': raw, 'ema_': average}.

    Returns:
      'images' or 'tokens' (how many were counted) and, for each prefix, the mean of each metric;
      and the predictions, if they are kept.
    """
    sums: dict[str, dict[str, float]] = {prefix: {} for prefix in weights}
    carries: dict[str, Any] = {}
    sentences = self._evaluation.of_sentences
    kept = (predictions_lib.Collector(sentences) if self._evaluation.keep or sentences else None)
    hosts, devices = jax.process_count(), jax.device_count()
    size = math.ceil(self._evaluation.batch / devices) * devices
    batches = self._batches(
        self._evaluation.split, size // hosts, host=jax.process_index(), hosts=hosts)
    for number, batch in enumerate(itertools.islice(batches, self._evaluation.most or None)):
      placed = parallel.shard(batch, self._backend)
      for prefix, one in weights.items():
        # float() waits for the step: an unblocked loop of collectives can hang on the CPU.
        carry = carries[prefix] if number else self._first_carry(size // hosts)
        totals, predicted, carries[prefix] = self._step(
            one, np.int32(number), self._seed, placed, carry)
        for key, value in totals.items():
          sums[prefix][key] = sums[prefix].get(key, 0.0) + float(np.asarray(value))
        if kept:
          kept.add(prefix, predicted)
      if kept:
        kept.add_rows(batch)
    result, found = {}, kept.gather() if kept else None
    for prefix, totals in sums.items():
      examples = totals.pop('examples')
      result[self._evaluation.counted] = int(examples)
      if sentences:
        metrics = self._compared(found, prefix)
      else:
        metrics = self._evaluation.finish(
            {key: total / examples for key, total in totals.items()})
      result.update({prefix + key: value for key, value in metrics.items()})
    return result, found if self._evaluation.keep else None

  def _compared(self, found: predictions_lib.Predictions, prefix: str) -> dict[str, float]:
    """Returns the metrics of translations and of the references that the input has of them."""
    references = self._dataset.references(self._evaluation.split)
    return self._evaluation.evaluate.finish(
        found[prefix + 'translation'], [references[number] for number in found['example']],
        self._dataset.vocabulary)

  def _first_carry(self, rows: int) -> Any:
    """Returns what the rows of this host begin with, on its devices."""
    carry = self._model.init_carry(rows) if self._evaluation.of_tokens else {}
    return parallel.shard(jax.tree.map(np.asarray, carry), self._backend)


def _more(preparation: Any, number: jax.Array, batch: Mapping[str, Any]) -> dict[str, jax.Array]:
  """Returns what an evaluation may want of a device's rows beside them.

  Returns:
    'example' int32 [B], the place of each row in the split, whatever the size of batches and the
    devices are; of images 'black' [1, 1, 1, C], what a black one is for the model.
  """
  count = len(batch['mask'])
  device, devices = jax.lax.axis_index(parallel.AXIS), jax.lax.axis_size(parallel.AXIS)
  found = {'example': (number * devices + device) * count + jnp.arange(count, dtype=jnp.int32)}
  if 'image' in batch:
    pixel = {'image': jnp.zeros((1, 1, 1, batch['image'].shape[-1]), batch['image'].dtype)}
    found['black'] = preparation.prepare_stored(pixel)['inputs']
  return found


def weights_of(train_state: Any) -> dict[str, Weights]:
  """Returns what an evaluation compares: raw weights and, where there is one, their average."""
  weights = {'': Weights(train_state.params, train_state.averages)}
  average = asgd.average_of(train_state.opt_state)
  if average is not None:
    weights['ema_'] = Weights(average, train_state.averages)
  if train_state.ema is not None:
    weights['ema_'] = train_state.ema
  return weights
