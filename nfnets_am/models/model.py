"""What the rest of the project knows of a model: two pure functions and a few facts."""

from collections.abc import Callable
from collections.abc import Sequence
import contextlib
import dataclasses
from typing import Any
from typing import NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors


@dataclasses.dataclass(frozen=True)
class Mode:
  """How a model is applied.

  Attributes:
    is_training: a Python bool, so that each of the two is a program of its own.
    progress: share of the training that is done, in [0, 1]; for rates and limits that change on
      the way.
    example_weight: alpha in [0, 1], the weight of an example's own statistics in a norm at
      inference (Summers 2021, eq. 4.3). None is the norm's own inference: 0 for norms over the
      batch, 1 for 'group'. The numbers 0.0 and 1.0 leave out what they do not weigh; an array
      lets one compiled program do all weights.
  """

  is_training: bool
  progress: float | jax.Array = 0.0
  example_weight: float | jax.Array | None = None


TRAINING = Mode(True)
EVALUATION = Mode(False)


class Outputs(NamedTuple):
  """What a model says of a batch.

  Attributes:
    logits: float32 [B, K]; [M, B, K] in training with M dropout masks for each row; of tokens
      [B, T, K].
    auxiliary: name -> further logits, float32 [B, K], of heads inside the network.
    features: name -> [B, ...]; 'features' [B, D] enter the final linear, before any dropout.
  """

  logits: jax.Array
  auxiliary: dict[str, jax.Array] = {}
  features: dict[str, jax.Array] = {}


class State(NamedTuple):
  """What a model remembers from one call to the next.

  Attributes:
    averages: {module: {name: array}}, such as moving statistics; the same on all devices. The step
      averages floats over devices; integers count and are never averaged.
    carry: of each row, [B, ...], such as the hidden state of a recurrent network; {} without.
  """

  averages: Any
  carry: Any


def _no_carry(rows: int) -> dict[str, Any]:
  del rows
  return {}


def _images(rows: int, shape: Sequence[int], dtype: Any) -> jax.Array:
  return jnp.zeros((rows, *shape), dtype)


@dataclasses.dataclass(frozen=True)
class Model:
  """A model for K classes.

  Attributes:
    init: (rng, inputs [B, ...], mode=TRAINING) -> (params, State); params are float32.
    apply: (params, state, rng, inputs [B, ...], mode) -> (Outputs, State). Images [B, H, W, C] are
      normalised; the model computes in their dtype. Text is a dict of arrays, see
      models/recurrent.py and models/transformer.py. rng may be None where `mode` does not train.
    name: as registered.
    num_classes: K.
    train_size: side of a training view in pixels, or tokens in a row.
    test_size: side of a test image in pixels, or tokens in a row.
    head: path of the final linear's module among the params, such as 'NFNet/~/linear'.
    auxiliary_heads: paths of the linears to classes that heads inside the network end with.
    randaugment: magnitude of its published RandAugment, or None.
    init_carry: rows B -> the first carry of as many rows.
    blank: (rows B, shape of a row, dtype) -> inputs of which shapes are all that is looked at.
  """

  init: Callable[..., tuple[Any, State]]
  apply: Callable[..., tuple[Outputs, State]]
  name: str
  num_classes: int
  train_size: int
  test_size: int
  head: str
  randaugment: int | None = None
  init_carry: Callable[[int], Any] = _no_carry
  auxiliary_heads: tuple[str, ...] = ()
  blank: Callable[[int, Sequence[int], Any], Any] = _images

  @property
  def heads(self) -> tuple[str, ...]:
    """Modules whose weights depend on the number of classes: new ones where that differs."""
    return self.head, *self.auxiliary_heads


def rows_of(inputs: Any) -> int:
  """Returns B of an array or a tree of arrays [B, ...]."""
  return len(jax.tree.leaves(inputs)[0])


def begin_rows(state: State, first: jax.Array) -> State:
  """Returns a state whose carry is zero in the rows where `first`, bool [B], is True."""
  return take_rows(first, jax.tree.map(jnp.zeros_like, state.carry), state)


def take_rows(which: jax.Array, carry: Any, state: State) -> State:
  """Returns a state with the rows of another carry where `which`, bool [B], is True."""
  def taken(other, own):
    return jnp.where(which.reshape((-1,) + (1,) * (own.ndim - 1)), other, own)

  return state._replace(carry=jax.tree.map(taken, carry, state.carry))


def check_sizes(**sizes: int) -> None:
  """Raises errors.ConfigError for an argument of a model that is below 1."""
  for key, size in sizes.items():
    if size < 1:
      raise errors.ConfigError(f'model.{key}={size}; allowed: a whole number from 1 up')


def check_rates(**rates: float) -> None:
  """Raises errors.ConfigError for an argument of a model that is outside [0, 1)."""
  for key, rate in rates.items():
    if not 0 <= rate < 1:
      raise errors.ConfigError(f'model.{key}={rate}; allowed: from 0 to below 1')


def _without_texts() -> contextlib.AbstractContextManager:
  """Haiku writes a text of every module that is made, which nobody reads: a tenth of a trace."""
  return hk.config.context(module_auto_repr=False)


def from_module(build: Callable[[], Callable[..., Any]], *,
                carry: Callable[[int], Any] | None = None, **facts: Any) -> Model:
  """Returns the Model of a Haiku module.

  Args:
    build: makes the module, (inputs, mode) -> Outputs, or logits where there is nothing else to
      say; called inside the transform. A module that carries is (inputs, mode, carry) -> (Outputs
      or logits, next carry).
    carry: rows B -> the first carry, a tree of arrays [B, ...]; None for a module without.
    **facts: the other attributes of Model.
  """
  init_carry = carry or _no_carry

  def forward(inputs, mode, held):
    out = build()(inputs, mode, held) if carry else (build()(inputs, mode), held)
    outputs, held = out
    return (outputs if isinstance(outputs, Outputs) else Outputs(outputs)), held

  transformed = hk.transform_with_state(forward)

  def init(rng, inputs, mode=TRAINING):
    held = init_carry(rows_of(inputs))
    with _without_texts():
      params, averages = transformed.init(rng, inputs, mode, held)
    return params, State(averages, held)

  def apply(params, state, rng, inputs, mode):
    with _without_texts():
      (outputs, held), averages = transformed.apply(
          params, state.averages, rng, inputs, mode, state.carry)
    return outputs, State(averages, held)

  return Model(init=init, apply=apply, init_carry=init_carry, **facts)
