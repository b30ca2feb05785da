"""Losses: a loss is a named function of the model's outputs and the batch."""

from collections.abc import Callable
from collections.abc import Mapping

import jax
import optax

from nfnets_am.core import registry

Loss = Callable[[jax.Array, Mapping[str, jax.Array]], jax.Array]


def targets(batch: Mapping[str, jax.Array], num_classes: int) -> jax.Array:
  """Returns the label distribution of each row.

  Args:
    batch: 'label' int32 [B]; a mixed row also has 'partner_label' int32 [B] and 'weight' float32
      [B] in [0, 1], the share of its own label.
    num_classes: K.

  Returns:
    float32 [B, K]; rows sum to 1.
  """
  own = jax.nn.one_hot(batch['label'], num_classes)
  if 'partner_label' not in batch:
    return own
  weight = batch['weight'][:, None]
  return weight * own + (1 - weight) * jax.nn.one_hot(batch['partner_label'], num_classes)


def _cross_entropy(*, label_smoothing: float = 0.0) -> Loss:
  """Cross-entropy; smoothing (1 - s) y + s / K comes after mixing (Brock et al. 2021)."""

  def loss(logits: jax.Array, batch: Mapping[str, jax.Array]) -> jax.Array:
    labels = optax.losses.smooth_labels(targets(batch, logits.shape[-1]), label_smoothing)
    return optax.losses.softmax_cross_entropy(logits, labels)

  return loss


# Each entry takes its options and returns loss(logits [..., B, K], batch) -> float32 [..., B].
LOSSES = registry.Registry('loss', {'cross_entropy': _cross_entropy})
