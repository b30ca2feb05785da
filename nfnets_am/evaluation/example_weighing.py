"""Accuracy at several weights of an example's own statistics (Summers 2021, sec. 4.3.1, eq. 4.3).

It needs no training: any weights will do whose norms have moving statistics.
"""

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.core import quantities
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import evaluation
from nfnets_am.models import model

# Close where the best weights are: near 0 for norms over the batch, near 1 for group norm.
ALPHAS = (0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8,
          0.9, 0.95, 0.98, 1.0)


def example_weighing(*, alphas: Sequence[float] = ALPHAS) -> evaluation.Evaluate:
  """One program for all weights, whose metrics are those of 'accuracy' as 'top1@0.1'.

  Images are read, prepared and passed through all that stands before the first norm once. Behind it
  every activation depends on the weight: the rest costs a forward pass, and takes the memory of a
  batch, for each of them.

  Args:
    alphas: weights in [0, 1], each once; 0 is the inference of batch norm, 1 that of group norm.

  Raises:
    ConfigError: no weight, one out of range or one that comes twice; when it evaluates, a model
      without moving statistics.
  """
  alphas = tuple(alphas)
  if not alphas or not all(
      isinstance(alpha, (int, float)) and 0 <= alpha <= 1 for alpha in alphas) or (
          len({quantities.at('', alpha) for alpha in alphas}) < len(alphas)):
    raise errors.ConfigError(
        f'the evaluation example_weighing has alphas={alphas}; allowed: numbers from 0 to 1, each '
        'once')

  def evaluate(apply: Any, params: Any, state: model.State, rng: jax.Array,
               batch: Mapping[str, Any]) -> evaluation.Rows:
    del rng
    check(state.averages)

    def of(alpha):
      outputs, _ = apply(params, state, None, batch['inputs'],
                         model.Mode(False, example_weight=alpha))
      return accuracy.scores(outputs.logits, batch['label']), {'logits': outputs.logits}

    found = jax.vmap(of)(jnp.array(alphas, jnp.float32))
    return tuple({quantities.at(name, alpha): value[i] for name, value in part.items()
                  for i, alpha in enumerate(alphas)} for part in found)

  evaluate.check = check
  return evaluate


def check(averages: Mapping[str, Any]) -> None:
  """Raises ConfigError where a model has no moving statistics to weigh."""
  if not averages:
    raise errors.ConfigError(
        'example_weighing of a model without moving statistics; allowed: one with a norm that '
        'collects them')


def parse(text: str) -> tuple[float, ...]:
  """Returns the weights of a command line, such as '0, 0.1, 0.5'.

  Raises:
    ConfigError: it holds something else than numbers.
  """
  try:
    return tuple(float(part) for part in text.split(','))
  except ValueError:
    raise errors.ConfigError(f'alphas={text!r}; allowed: numbers with commas between') from None
