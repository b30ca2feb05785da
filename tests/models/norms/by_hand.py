"""Norms by loops in float64, and how the tests call the real ones."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.models import model
from nfnets_am.models import norms

EPS = 1e-5


def transformed(text):
  """A norm as (init, apply) of (x, mode)."""
  return hk.transform_with_state(lambda x, mode: norms.parse(text)('norm')(x, mode))


def draw(shape, seed=0, mean=1.5):
  """Rows float32, whose examples and channels differ in mean and deviation."""
  rng = np.random.default_rng(seed)
  x = rng.normal(size=shape) * rng.uniform(0.5, 2, size=(shape[0],) + (1,) * (len(shape) - 1))
  return np.float32(x + rng.normal(size=shape[-1]) + mean)


def weights(channels, seed=1):
  """A scale and an offset that are not 1 and 0."""
  rng = np.random.default_rng(seed)
  return {'norm': {'scale': np.float32(rng.uniform(0.5, 2, channels)),
                   'offset': np.float32(rng.normal(size=channels))}}


def train(text, x, params=None, averages=None, **mode):
  """Returns the output and the next averages of one call in training."""
  return _call(text, x, model.Mode(True, **mode), params, averages)


def infer(text, x, params=None, averages=None, **mode):
  """Returns the output of one call at inference, whose averages must stay."""
  out, after = _call(text, x, model.Mode(False, **mode), params, averages)
  if averages is not None:
    jax.tree.map(np.testing.assert_array_equal, after, averages)
  return out


def _call(text, x, mode, params, averages):
  norm = transformed(text)
  fresh, state = norm.init(None, x, model.TRAINING)
  out, after = norm.apply(params or fresh, state if averages is None else averages, None, x, mode)
  assert out.shape == x.shape and out.dtype == x.dtype
  return np.asarray(out), jax.device_get(after)


def normalise(x, size, groups, params=None, eps=EPS):
  """Normalises [B, H, W, C] over `size` consecutive rows and C / groups consecutive channels."""
  x = np.float64(x)
  out = np.empty_like(x)
  rows, channels = x.shape[0], x.shape[-1]
  width = channels // groups
  for row in range(0, rows, size):
    for channel in range(0, channels, width):
      here = slice(row, row + size), Ellipsis, slice(channel, channel + width)
      part = x[here]
      mean = part.sum() / part.size
      variance = ((part - mean) ** 2).sum() / part.size
      out[here] = (part - mean) / np.sqrt(variance + eps)
  if params:
    out = out * np.float64(params['norm']['scale']) + np.float64(params['norm']['offset'])
  return out


def assert_gradients(text, by_hand, x, params, averages=None, **mode):
  """Compares the gradients of a weighted sum of outputs with differences of loops in float64.

  Args:
    text: of the norm.
    by_hand: (x, params) -> output, in float64.
    x, params, averages, mode: where.
  """
  cotangent = np.random.default_rng(2).normal(size=x.shape)
  norm = transformed(text)
  _, state = norm.init(None, x, model.TRAINING)

  def loss(x, params):
    out, _ = norm.apply(params, state if averages is None else averages, None, x,
                        model.Mode(True, **mode))
    return (out * jnp.float32(cotangent)).sum()

  found = jax.grad(loss, argnums=(0, 1))(jnp.asarray(x), params)
  at = jax.tree.map(np.float64, (x, params))
  leaves, tree = jax.tree.flatten(at)
  for number, (leaf, gradient) in enumerate(zip(leaves, jax.tree.leaves(found), strict=True)):
    expected = np.empty_like(leaf)
    for place in range(leaf.size):
      values = []
      for step in (1e-5, -1e-5):
        moved = [np.array(other) for other in leaves]
        moved[number].flat[place] += step
        values.append((by_hand(*jax.tree.unflatten(tree, moved)) * cotangent).sum())
      expected.flat[place] = (values[0] - values[1]) / 2e-5
    np.testing.assert_allclose(gradient, expected, rtol=2e-4, atol=2e-4)
