"""Accuracy on images that an attack has moved; the network's own attack, white-box."""

from collections.abc import Callable
from collections.abc import Mapping
import functools
from typing import Any

import jax
import jax.numpy as jnp

from nfnets_am.attacks import attack as attack_lib
from nfnets_am.attacks import crafting
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import evaluation
from nfnets_am.models import model
from nfnets_am.objectives import classification


def under(make: Callable[..., attack_lib.Attack]) -> Callable[..., evaluation.Evaluate]:
  """Returns the evaluation under an attack: its keys are the attack's.

  Weights that are compared, raw and averaged, are each attacked by their own gradients, in the
  mode of evaluation, from the same random starts. An example meets the same attack in each
  evaluation of a run, whatever the size of batches and the number of devices are.

  Args:
    make: an entry of ATTACKS.
  """
  @functools.wraps(make)  # The registry reads the keys off it.
  def evaluation_of(**keys: Any) -> evaluation.Evaluate:
    return by(make(**keys))

  return evaluation_of


def by(attack: attack_lib.Attack) -> evaluation.Evaluate:
  """Returns the evaluation under an attack whose keys are said."""
  return crafting.OfPixels(functools.partial(_evaluate, attack))


def _evaluate(attack: attack_lib.Attack, apply: Any, params: Any, state: model.State,
              rng: jax.Array, batch: Mapping[str, Any]) -> evaluation.Rows:
  """Scores of the moved images, and their 'logits'."""
  del rng
  images = crafting.craft(attack, apply, params, state, None, batch, classification.targets,
                          model.EVALUATION)
  # Rows that only fill the batch stay as they are.
  images = jnp.where(batch['mask'][:, None, None, None] > 0, images, batch['inputs'])
  outputs, _ = apply(params, state, None, images, model.EVALUATION)
  return accuracy.scores(outputs.logits, batch['label']), {'logits': outputs.logits}
