"""The laws that weights start by, told from the weights."""

import re

import jax
import jax.numpy as jnp
import numpy as np


def start(model, size):
  """Returns first params of a model for images of so many pixels.

  Those of the first and the last module of each kind, by their names without numbers: to draw all
  would compile a program of as many parts.
  """
  kinds = {}
  for module in shapes(model, size):
    kinds.setdefault(re.sub('[0-9]+', '', module), []).append(module)
  chosen = {module for modules in kinds.values() for module in (modules[0], modules[-1])}

  @jax.jit
  def draw(rng):
    params, _ = model.init(rng, jnp.zeros((1, size, size, 3)))
    return {module: params[module] for module in chosen}

  return jax.device_get(draw(jax.random.key(0)))


def shapes(model, size=32):
  """Returns the shapes of the params of a model for images of so many pixels."""
  images = jax.ShapeDtypeStruct((1, size, size, 3), jnp.float32)
  return jax.eval_shape(model.init, jax.random.key(0), images)[0]


def assert_normal(w, variance):
  """Holds many weights against a normal law: deviation and the share beyond two of them."""
  w = np.float64(w) / np.sqrt(variance)
  error = 5 / np.sqrt(w.size)
  assert abs(w.std() - 1) < error and abs(w.mean()) < error
  # 0.0455 of a normal law, nothing of a uniform one of that deviation.
  assert abs((np.abs(w) > 2).mean() - 0.0455) < 5 * np.sqrt(0.0455 / w.size)


def assert_uniform(w, limit):
  """Holds weights against a law that is uniform up to a limit; a few have to do for a bias."""
  w = np.float64(w) / limit
  assert np.abs(w).max() <= 1 + 1e-6 and abs(w.std() - 3 ** -0.5) < 2 / np.sqrt(w.size)
  assert abs(w.mean()) < 3 / np.sqrt(w.size)


def assert_torch(weights):
  """Holds weights, and the bias if there is one, against torch's law."""
  limit = np.prod(weights['w'].shape[:-1]) ** -0.5
  for w in weights.values():
    assert_uniform(w, limit)


def assert_norm(weights, scale=1.0):
  np.testing.assert_array_equal(weights['scale'], np.full_like(weights['scale'], scale))
  assert not weights['offset'].any()
