"""Parameters, multiply-adds and kept activations of a model, without allocating a weight.

Everything is read off the traced program, so that it is exact for any model, a new one included.
"""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp

from nfnets_am.models import model as model_lib

# No weight has an axis of this length in front, and a norm's groups of rows divide it.
_BATCH = 7 * 2 ** 10


@dataclasses.dataclass(frozen=True)
class Counts:
  """What a model costs.

  Attributes:
    parameters: weights.
    train_macs, test_macs: multiply-adds of a forward pass of one image, or of a row of tokens, at
      the training and at the test size, in convolutions and products; what the papers call FLOPs.
    activation_bytes: what a training step keeps of one of them for its backward pass, at the
      training size, computing in bfloat16; text in float32.
  """

  parameters: int
  train_macs: int
  test_macs: int
  activation_bytes: int


def count(model: model_lib.Model, channels: int = 3) -> Counts:
  """Counts a model on images with this many channels."""
  return Counts(
      parameters=parameters(model, channels),
      train_macs=forward_macs(model, model.train_size, channels),
      test_macs=forward_macs(model, model.test_size, channels),
      activation_bytes=activation_bytes(model, model.train_size, channels))


def parameters(model: model_lib.Model, channels: int = 3) -> int:
  """Returns the number of a model's weights."""
  return sum(x.size for x in jax.tree.leaves(_init(model, channels)[0]))


def forward_macs(model: model_lib.Model, size: int, channels: int = 3) -> int:
  """Returns the multiply-adds of one image of `size` pixels, in evaluation mode."""
  # What evaluation needs, which takes half the time of what training needs. To make the weights a
  # model goes forward once, so that its own size is counted by then.
  macs, (params, state) = _begun(model, channels, model_lib.EVALUATION)
  if size == model.train_size:
    return macs
  images = _inputs(model, 1, size, channels, jnp.float32)
  traced = jax.make_jaxpr(
      lambda p, s, x: model.apply(p, s, None, x, model_lib.EVALUATION))(params, state, images)
  return macs_of(traced.jaxpr)


def activation_bytes(model: model_lib.Model, size: int, channels: int = 3) -> int:
  """Returns the bytes that the backward pass of one training image reads and that grow with it.

  These are the residuals of the linearised step that have an axis for the batch; cast weights,
  which it keeps once, are left out.
  """
  params, state = _init(model, channels)
  images = _inputs(model, _BATCH, size, channels, jnp.bfloat16)
  state = state._replace(carry=jax.eval_shape(lambda: model.init_carry(_BATCH)))

  def step(params, state, x):
    apply = lambda params: model.apply(
        params, state, jax.random.key(0), x, model_lib.TRAINING)[0].logits
    return jax.vjp(apply, params)[1]

  kept = jax.tree.leaves(jax.eval_shape(step, params, state, images))
  # Behind the axis of a loop over time, there may be the batch's.
  return sum(x.size * x.dtype.itemsize for x in kept if _BATCH in x.shape[:2]) // _BATCH


def macs_of(jaxpr: Any) -> int:
  """Returns the multiply-adds of a jaxpr's convolutions and products, inner programs included."""
  total = 0
  for eqn in jaxpr.eqns:
    if eqn.primitive.name == 'conv_general_dilated':
      kernel = eqn.invars[1].aval.shape
      out = eqn.params['dimension_numbers'].rhs_spec[0]
      # The kernel's input channels are those of one group already.
      total += eqn.outvars[0].aval.size * math.prod(kernel) // kernel[out]
    elif eqn.primitive.name == 'dot_general':
      (contracted, _), _ = eqn.params['dimension_numbers']
      shape = eqn.invars[0].aval.shape
      total += eqn.outvars[0].aval.size * math.prod(shape[axis] for axis in contracted)
    times = eqn.params['length'] if eqn.primitive.name == 'scan' else 1
    params = dict(eqn.params)
    if params.get('branches_platforms'):
      # One thing in several forms, of which a device takes one; the last is the plain one.
      params['branches'] = params['branches'][-1]
    for inner in jax.tree.leaves(list(params.values()), is_leaf=_is_jaxpr):
      if _is_jaxpr(inner):
        total += times * macs_of(getattr(inner, 'jaxpr', inner))
  return total


def _is_jaxpr(x: Any) -> bool:
  """Whether this is a jaxpr, open or closed over its constants."""
  return hasattr(getattr(x, 'jaxpr', x), 'eqns')


def _init(model: model_lib.Model, channels: int) -> tuple[Any, Any]:
  """Shapes of the params and the state of training."""
  return _begun(model, channels, model_lib.TRAINING)[1]


@functools.cache
def _begun(model: model_lib.Model, channels: int, mode: model_lib.Mode
           ) -> tuple[int, tuple[Any, Any]]:
  """The multiply-adds of making params and state as a run makes them, and the shapes of both.

  It is made from one image to train on, and no weight takes a product: they are the model's own.
  """
  images = _inputs(model, 1, model.train_size, channels, jnp.float32)
  traced, shapes = jax.make_jaxpr(
      lambda key, x: model.init(key, x, mode), return_shape=True)(jax.random.key(0), images)
  return macs_of(traced.jaxpr), shapes


def _inputs(model: model_lib.Model, rows: int, size: int, channels: int, dtype: Any) -> Any:
  """Returns the shapes of images with `size` pixels a side, or of rows of as many tokens."""
  return jax.eval_shape(lambda: model.blank(rows, (size, size, channels), dtype))
