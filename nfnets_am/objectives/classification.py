"""Cross-entropy of class labels, of mixed rows too."""

from collections.abc import Callable
from collections.abc import Mapping
import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from nfnets_am.core import errors
from nfnets_am.models import model
from nfnets_am.objectives import objective
from nfnets_am.objectives import smoothing


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


def smoother(label_smoothing: float, spread: str) -> Callable[[jax.Array], jax.Array]:
  """Returns labels [B, K] -> smoothed labels, of the keys of an objective.

  Raises:
    ConfigError: a share out of [0, 1), or an unknown spread.
  """
  if not 0 <= label_smoothing < 1:
    raise errors.ConfigError(
        f'objective.label_smoothing={label_smoothing}; allowed: from 0 to below 1')
  return functools.partial(smoothing.SPREADS[spread], smoothing=label_smoothing)


def cross_entropy(*, label_smoothing: float = 0.0, spread: str = 'all', auxiliary: float = 0.0
                  ) -> objective.Objective:
  """Mean cross-entropy; smoothing comes after mixing (Brock et al. 2021).

  Args:
    label_smoothing: s in [0, 1).
    spread: one of smoothing.SPREADS: over 'all' classes, or over the 'others' than the label.
    auxiliary: weight of the cross-entropy of each of the model's auxiliary logits, from 0 up.

  Returns:
    An objective of one forward pass, with the metrics 'loss' (without auxiliary terms) and 'top1'.

  Raises:
    ConfigError: a value out of its range.
  """
  smooth = smoother(label_smoothing, spread)
  if not 0 <= auxiliary < float('inf'):
    raise errors.ConfigError(f'objective.auxiliary={auxiliary}; allowed: 0 or more')

  def compute(apply: objective.Apply, params: Any, state: model.State, rng: jax.Array,
              batch: objective.Batch, progress: jax.Array) -> objective.Result:
    outputs, state = apply(params, state, rng, batch['inputs'], model.Mode(True, progress))
    labels = smooth(targets(batch, outputs.logits.shape[-1]))
    loss = optax.losses.softmax_cross_entropy(outputs.logits, labels).mean()
    top1 = (outputs.logits.argmax(axis=-1) == batch['label']).mean(dtype=jnp.float32)
    total = loss
    if auxiliary:
      for logits in outputs.auxiliary.values():
        total += auxiliary * optax.losses.softmax_cross_entropy(logits, labels).mean()
    return total, (state, {'loss': loss, 'top1': top1})

  return compute
