"""Weights files of both layouts: ours and DeepMind's (pretrained.py), and timm's (safetensors)."""

from collections.abc import Callable
import os
from typing import Any

import jax

from nfnets_am.models import pretrained
from nfnets_am.models import safetensors
from nfnets_am.models import timm_weights

# (name of the model, what makes its first state) -> its parameters and averages. They are named as
# the model's; whether they have its shapes is for pretrained.check.
Fit = Callable[[str, Callable[[], Any]], tuple[pretrained.Weights, pretrained.Weights]]


def read(path: str | os.PathLike) -> Fit:
  """Reads a weights file, without running anything that it says.

  Args:
    path: of a pickle, see pretrained.py, or of a safetensors file in timm's layout.

  Returns:
    What a model takes of it.

  Raises:
    UserError: the file is missing, damaged, or holds something else; from what is returned, it is
      not the model's.
  """
  if not safetensors.begins(path):
    weights = pretrained.load(path)
    return lambda name, init: weights
  tensors = timm_weights.load(path)

  def fit(name, init):
    expected = jax.eval_shape(init)
    return timm_weights.fit(tensors, name, expected.params, expected.averages,
                            source=f'the weights file {path}')

  return fit
