"""What the rest of the project knows of a model: two pure functions and a few facts."""

from collections.abc import Callable
import dataclasses
from typing import Any
from typing import NamedTuple

import haiku as hk
import jax


class Mode(NamedTuple):
  is_training: bool
  progress: Any = 0.0
  example_weight: Any = 0.0


TRAINING, EVALUATION = Mode(True), Mode(False)


class Outputs(NamedTuple):
  logits: jax.Array
  auxiliary: dict
  features: dict


class State(NamedTuple):
  averages: Any
  carry: Any


@dataclasses.dataclass(frozen=True)
class Model:
  """A model for K classes.

  Attributes:
    init: (rng, images [B, H, W, C], is_training) -> (params, state); params are float32.
    apply: (params, state, rng, images [B, H, W, C], is_training) -> (logits float32 [B, K], state).
      Images are normalised; the model computes in their dtype. `is_training` is a Python bool, and
      rng may be None when it is False. With M dropout masks for each image the logits in training
      are [M, B, K]; the loss is the mean over all.
    name: as registered.
    num_classes: K.
    train_size: side of a training view in pixels.
    test_size: side of a test image in pixels.
    randaugment: magnitude of its published RandAugment, or None.
  """

  init: Callable[..., tuple[Any, Any]]
  apply: Callable[..., tuple[jax.Array, Any]]
  name: str
  num_classes: int
  train_size: int
  test_size: int
  randaugment: int | None = None
  init_carry: Any = None
  head: str = 'wide_resnet/linear'


def from_module(
    build: Callable[[], Callable[[jax.Array, bool], jax.Array]], **facts: Any) -> Model:
  """Returns the Model of a Haiku module.

  Args:
    build: makes the module; called inside the transform.
    **facts: the other attributes of Model.
  """
  transformed = hk.transform_with_state(lambda images, mode: build()(images, mode.is_training))
  def init(rng, x, mode=TRAINING):
    p, s = transformed.init(rng, x, mode); return p, State(s, {})
  def apply(p, s, rng, x, mode):
    l, a = transformed.apply(p, s.averages, rng, x, mode); return Outputs(l, {}, {}), State(a, s.carry)
  return Model(init=init, apply=apply, init_carry=lambda rows: {}, **facts)
