"""Cross-entropy and hits of class labels, without smoothing."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nfnets_am.evaluation import evaluation
from nfnets_am.models import model


def accuracy() -> evaluation.Evaluate:
  """One forward pass of the examples as they are stored or cropped for testing."""

  def evaluate(apply: Any, params: Any, state: model.State, rng: jax.Array,
               batch: Mapping[str, Any]) -> evaluation.Rows:
    del rng
    outputs, _ = apply(params, state, None, batch['inputs'], model.Mode(False))
    return scores(outputs.logits, batch['label']), {'logits': outputs.logits}

  return evaluate


def scores(logits: jax.Array, label: jax.Array) -> dict[str, jax.Array]:
  """Returns what each row counts.

  Args:
    logits: float32 [B, K].
    label: int32 [B].

  Returns:
    'loss' float32 [B] (cross-entropy in nats) and the hits 'top1' and, where K > 5, 'top5', bool
    [B]. Ties count for the lower class index, as argmax does; a row with a logit that is not finite
    is no hit.
  """
  own = jnp.take_along_axis(logits, label[:, None], axis=1)
  columns = jnp.arange(logits.shape[1])
  above = (logits > own) | ((logits == own) & (columns < label[:, None]))
  rank = above.sum(axis=1)
  # A NaN compares as false and would rank first.
  rank = jnp.where(jnp.isfinite(logits).all(axis=1), rank, logits.shape[1])
  values = {'loss': optax.losses.softmax_cross_entropy_with_integer_labels(logits, label),
            'top1': rank < 1}
  if logits.shape[1] > 5:
    values['top5'] = rank < 5
  return values
