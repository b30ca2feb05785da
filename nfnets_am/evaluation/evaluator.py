"""Evaluation: every example of a split exactly once, for any batch size and number of devices."""

from collections.abc import Callable
from collections.abc import Mapping
import itertools
from typing import Any

import jax
import numpy as np

from nfnets_am.core import parallel
from nfnets_am.data import inputs


class Evaluator:
  """Evaluates weights on whole splits."""

  def __init__(self, eval_step: Callable[..., Any], dataset: inputs.Input, *, batch: int,
               backend: str):
    """Compiles nothing yet.

    Args:
      eval_step: Experiment.eval_step.
      dataset: its splits.
      batch: examples in a step over all devices, a multiple of them.
      backend: 'pmap' or 'shard_map'.
    """
    self._step = parallel.map_step(eval_step, backend, replicated=2)
    self._dataset = dataset
    self._batch = batch
    self._backend = backend

  def evaluate(self, split: str, weights: Mapping[str, Any], state: Any) -> dict[str, float]:
    """Evaluates several sets of weights in one pass over a split.

    Args:
      split: 'train' (without augmentation), 'minibatch' (its first batch alone), 'validation' or
        'test'.
      weights: prefix -> params, such as {'': params, 'ema_': ema}.
      state: the model's state.

    Returns:
      'images' (how many were counted) and, for each prefix, 'loss' (mean cross-entropy in nats),
      'top1' and, where K > 5, 'top5' (shares).
    """
    sums: dict[str, dict[str, float]] = {prefix: {} for prefix in weights}
    hosts = jax.process_count()
    stored, most = ('train', 1) if split == 'minibatch' else (split, None)
    batches = self._dataset.eval_batches(
        stored, self._batch // hosts, host=jax.process_index(), hosts=hosts)
    for batch in itertools.islice(batches, most):
      batch = parallel.shard(batch, self._backend)
      for prefix, params in weights.items():
        # float() waits for the step: an unblocked loop of collectives can hang on the CPU.
        for key, value in self._step(params, state, batch).items():
          sums[prefix][key] = sums[prefix].get(key, 0.0) + float(np.asarray(value))
    result = {}
    for prefix, totals in sums.items():
      examples = totals.pop('examples')
      result['images'] = int(examples)
      result.update({prefix + key: total / examples for key, total in totals.items()})
    return result


def weights_of(train_state: Any) -> dict[str, Any]:
  """Returns what an evaluation compares: raw weights and, where there is one, their average."""
  weights = {'': train_state.params}
  if train_state.ema is not None:
    weights['ema_'] = train_state.ema
  return weights
