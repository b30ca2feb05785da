"""Sums over the examples that count: what an evaluation step returns."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import optax


def evaluation_sums(logits: jax.Array, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
  """Sums over the rows that count, without smoothing.

  Args:
    logits: float32 [B, K].
    batch: 'label' int32 [B] and 'mask' float32 [B], 0 for padding.

  Returns:
    float32 scalars: 'examples', 'loss' (cross-entropy in nats) and the hits 'top1' and, where
    K > 5, 'top5'.
  """
  mask, label = batch['mask'], batch['label']
  # Ties count for the lower class index, as argmax does.
  own = jnp.take_along_axis(logits, label[:, None], axis=1)
  columns = jnp.arange(logits.shape[1])
  above = (logits > own) | ((logits == own) & (columns < label[:, None]))
  rank = above.sum(axis=1)
  # A NaN compares as false and would rank first.
  rank = jnp.where(jnp.isfinite(logits).all(axis=1), rank, logits.shape[1])
  sums = {
      'examples': mask.sum(),
      'loss': (mask * optax.losses.softmax_cross_entropy_with_integer_labels(logits, label)).sum(),
      'top1': (mask * (rank < 1)).sum(),
  }
  if logits.shape[1] > 5:
    sums['top5'] = (mask * (rank < 5)).sum()
  return sums
