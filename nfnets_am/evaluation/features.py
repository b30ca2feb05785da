"""What a network's layers say of an example: features that predictions keep, for similarity."""

from collections.abc import Mapping
from typing import Any

import jax

from nfnets_am.core import errors
from nfnets_am.evaluation import accuracy
from nfnets_am.evaluation import evaluation
from nfnets_am.models import model


def features(*, layers: tuple[str, ...] = ()) -> evaluation.Evaluate:
  """One forward pass; predicts features in place of logits.

  With keep=True the file of predictions holds them all: all blocks of a ResNet-14 are 0.2 MB an
  example, and `most` says how many examples there are. The measure `similarity` reads them.

  Args:
    layers: names of features of the model; () is all that it has.
  """

  def evaluate(apply: Any, params: Any, state: model.State, rng: jax.Array,
               batch: Mapping[str, Any]) -> evaluation.Rows:
    del rng
    outputs, _ = apply(params, state, None, batch['inputs'], model.Mode(False))
    found = outputs.features
    for name in layers:
      if name not in found:
        raise errors.ConfigError(f'the evaluation features has layers={layers!r}; allowed: '
                                 f'{", ".join(found)}')
    return (accuracy.scores(outputs.logits, batch['label']),
            {name: found[name] for name in layers or found})

  return evaluate
