"""Perplexity of running text or of translations: each token counts once, states are carried."""

from collections.abc import Mapping
import math
from typing import Any

import jax
import jax.numpy as jnp

from nfnets_am.evaluation import evaluation
from nfnets_am.models import model
from nfnets_am.objectives import language


def perplexity() -> evaluation.Evaluate:
  """One forward pass without dropout; the metrics 'loss', 'bits' and 'perplexity' of a token.

  Perplexity is the exponential of the mean cross-entropy of all tokens, without smoothing. As each
  stream begins without a context, it depends a little on how many there are: Merity et al. 2018
  take 10 streams for validation and 1 for testing (the key `batch`).
  """

  def evaluate(apply: Any, params: Any, state: model.State, rng: jax.Array, batch: Mapping[str, Any]
               ) -> tuple[dict[str, jax.Array], dict[str, jax.Array], model.State]:
    del rng
    outputs, state = apply(params, language.begin(state, batch), None, language.inputs_of(batch),
                           model.EVALUATION)
    nll, _ = language.losses(outputs.logits, batch['targets'])
    # Behind the tokens of a row there may be anything.
    nll = jnp.where(batch['mask'] > 0, nll, 0)
    return {'loss': nll}, {'logits': outputs.logits}, state

  return evaluation.OfTokens(evaluate, finish)


def finish(means: dict[str, float]) -> dict[str, float]:
  """Adds 'bits' and 'perplexity' to the mean 'loss' of a token in nats."""
  loss = means['loss']
  # Beyond 700 nats math.exp would raise; such a run has diverged.
  perplexity = math.exp(loss) if loss < 700 else math.inf
  return {**means, 'bits': loss / math.log(2), 'perplexity': perplexity}
