"""Cross-entropy of tokens, with label smoothing and what AWD-LSTM adds to it.

A batch has 'tokens' int32 [R, T], which are read, 'targets' int32 [R, T] and 'mask' [R, T], true
where a target counts. Of running text it also has 'reset' bool [R], where the carry of a row begins
anew; 'hold' bool [R], where it stays as it is, since the segment comes once more; and 'length'
int32, the tokens of the segment. Of translation it has 'source' and 'source_mask' [R, S].
"""

from collections.abc import Callable
from collections.abc import Mapping
import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from nfnets_am.attacks import crafting
from nfnets_am.core import errors
from nfnets_am.core import parallel
from nfnets_am.core import registry
from nfnets_am.models import model
from nfnets_am.objectives import objective
from nfnets_am.optim import checks

# What of a batch a model of text takes.
_INPUTS = ('tokens', 'mask', 'source', 'source_mask', 'noise', 'noise_of_update')

# Where smoothed targets go: (cross-entropy [...], minus the sum of all log-probabilities [...],
# K, s) -> loss [...]. The same as smoothing.SPREADS, without distributions over all words.
_SPREADS = registry.Registry('spread', {
    'all': lambda nll, of_all, k, s: (1 - s) * nll + s / k * of_all,
    'others': lambda nll, of_all, k, s: (1 - s) * nll + s / (k - 1) * (of_all - nll),
})


def language(*, label_smoothing: float = 0.0, spread: str = 'all', activation: float = 0.0,
             temporal: float = 0.0) -> objective.Objective:
  """Mean cross-entropy of the tokens of an update, in nats.

  The mean is over all tokens that count in the update, on all devices, so that it does not depend
  on how rows are shared out; so are the means of the squares below.

  Args:
    label_smoothing: s in [0, 1); Vaswani et al. 2017 take 0.1.
    spread: over 'all' words, or over the 'others' than the target.
    activation: alpha, weight of the mean square of what dropout leaves of the last layer; Merity et
      al. 2018 take 2.
    temporal: beta, weight of the mean squared difference of the last layer, without dropout, from
      token to token; they take 1.

  Returns:
    An objective of one forward pass, with the metrics 'loss' (cross-entropy without smoothing and
    further terms) and, where segments have one, 'length'.

  Raises:
    ConfigError: a value out of its range; from the objective, a model without such a layer.
  """
  checks.number(f'objective.label_smoothing={label_smoothing!r}', label_smoothing,
                '0 to less than 1')
  for key, value in (('activation', activation), ('temporal', temporal)):
    checks.number(f'objective.{key}={value!r}', value, 'a number of at least 0')
  smooth = _SPREADS[spread]

  def compute(apply: objective.Apply, params: Any, state: model.State, rng: jax.Array,
              batch: objective.Batch, progress: jax.Array) -> objective.Result:
    held = state.carry
    outputs, state = apply(params, begin(state, batch), rng, inputs_of(batch),
                           model.Mode(True, progress))
    if 'hold' in batch:
      state = model.take_rows(batch['hold'], held, state)
    mask = batch['mask'].astype(jnp.float32)
    tokens, pairs = (batch.get(key, count.mean()) for key, count in _counts(mask).items())
    nll, of_all = losses(outputs.logits, batch['targets'])
    metrics = {'loss': _mean(nll, mask, tokens)}
    if 'length' in batch:
      metrics['length'] = jnp.mean(batch['length'], dtype=jnp.float32)
    total = metrics['loss']
    if label_smoothing:
      words = outputs.logits.shape[-1]
      total = _mean(smooth(nll, of_all, words, label_smoothing), mask, tokens)
    if activation:
      dropped = _feature(outputs, 'dropped', 'activation', activation)
      total += activation * _mean(jnp.square(dropped).mean(axis=-1), mask, tokens)
    if temporal:
      raw = _feature(outputs, 'raw', 'temporal', temporal)
      moved = jnp.square(raw[:, 1:] - raw[:, :-1]).mean(axis=-1)
      total += temporal * _mean(moved, mask[:, 1:] * mask[:, :-1], pairs)
    return total, (state, metrics)

  return OfTokens(compute)


@dataclasses.dataclass(frozen=True)
class OfTokens:
  """An objective whose rows know of the whole update; see `of_update`.

  Attributes:
    function: the objective, called with the same arguments.
  """

  function: Callable[..., Any]

  def __call__(self, *args: Any) -> Any:
    return self.function(*args)

  @staticmethod
  def of_update(rng: jax.Array, rows: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a device's rows with what the model's noise and the means need.

    Args:
      rng: of the update, the same on all devices.
      rows: of this device, before they are cut into micro-batches.

    Returns:
      The rows with 'noise', a key of each row that follows from its number in the update;
      'noise_of_update', one key in all rows; 'tokens_per_row' and 'pairs_per_row', means over the
      update of how many tokens and neighbours count; and 'length', if it is there, for each row.
    """
    count = len(rows['tokens'])
    of_rows, of_update = jax.random.split(rng)
    first = jax.lax.axis_index(parallel.AXIS) * count
    found = {'noise': crafting.keys_of_rows(of_rows, first, count),
             'noise_of_update': jnp.broadcast_to(of_update, (count,))}
    for key, counts in _counts(rows['mask'].astype(jnp.float32)).items():
      mean = jax.lax.pmean(counts.mean(), parallel.AXIS)
      found[key] = jnp.broadcast_to(mean, (count,))
    if 'length' in rows:
      found['length'] = jnp.broadcast_to(rows['length'], (count,))
    return {**rows, **found}


def inputs_of(batch: Mapping[str, Any]) -> dict[str, Any]:
  """Returns what a model takes of a batch."""
  return {key: batch[key] for key in _INPUTS if key in batch}


def begin(state: model.State, batch: Mapping[str, Any]) -> model.State:
  """Returns the state in which a segment begins: zeros for rows that begin anew."""
  return model.begin_rows(state, batch['reset']) if 'reset' in batch else state


def losses(logits: jax.Array, targets: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns the cross-entropy of each token, and minus the sum of all words' log-probabilities.

  Args:
    logits: float32 [R, T, K].
    targets: int32 [R, T].
  """
  log_total = jax.nn.logsumexp(logits, axis=-1)
  own = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
  return log_total - own, logits.shape[-1] * log_total - logits.sum(axis=-1)


def _counts(mask: jax.Array) -> dict[str, jax.Array]:
  """Returns how many tokens, and how many neighbours of which both count, each row has."""
  return {'tokens_per_row': mask.sum(axis=1),
          'pairs_per_row': (mask[:, 1:] * mask[:, :-1]).sum(axis=1)}


def _mean(values: jax.Array, mask: jax.Array, per_row: jax.Array) -> jax.Array:
  """Returns a mean over rows whose mean over devices is the mean over the update's tokens."""
  sums = jnp.where(mask > 0, values, 0).sum(axis=1)
  return (sums / jnp.maximum(per_row, 1e-6)).mean()


def _feature(outputs: model.Outputs, name: str, key: str, value: float) -> jax.Array:
  if name not in outputs.features:
    raise errors.ConfigError(
        f'objective.{key}={value} with a model that has no recurrent layer; allowed: 0')
  return outputs.features[name]
