"""Parameters with the names and shapes that masks look at, and updates of them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

HEAD = 'net/~/linear'
# The names of an NF-ResNet, of an NFNet block and of networks with norms.
SHAPES = {
    'net/~/initial_conv': {'w': (3, 3, 3, 8), 'b': (8,), 'gain': (8,)},
    'net/~/block/~/conv0': {'w': (1, 1, 8, 16), 'b': (16,), 'gain': (16,)},
    'net/~/block': {'skip_gain': ()},
    'net/~/block/~/depthwise': {'w': (3, 3, 1, 16), 'bias': (16,)},
    'net/~/block/~/shortcut_norm': {'scale': (16,), 'offset': (16,)},
    'net/~/block/~/squeeze_excite/linear': {'w': (16, 4), 'b': (4,)},
    'net/~/batch_norm': {'scale': (8,), 'offset': (8,)},
    HEAD: {'w': (16, 5), 'b': (5,)},
}
NAMES = [(module, name) for module, weights in SHAPES.items() for name in weights]


@functools.cache  # Tests read it; none writes.
def draw(seed, scale=1.0):
  rng = np.random.default_rng(seed)
  return {m: {n: jnp.asarray(scale * rng.standard_normal(shape), jnp.float32)
              for n, shape in weights.items()} for m, weights in SHAPES.items()}


def one(w, module='net/conv'):
  return {module: {'w': jnp.asarray(w, jnp.float32)}}


def naive_agc(module, name, w, g, clip, eps):
  """Adaptive gradient clipping, one unit at a time, in float64."""
  if (module, name) == (HEAD, 'w'):
    return g
  w, g = np.asarray(w, np.float64), np.array(g, np.float64)
  if g.ndim < 2:
    units = [...]
  else:
    units = [(..., channel) for channel in range(g.shape[-1])]
  for unit in units:
    limit = clip * max(np.sqrt(np.sum(w[unit] ** 2)), eps)
    norm = np.sqrt(np.sum(g[unit] ** 2))
    if norm > limit:
      g[unit] *= limit / max(norm, 1e-6)
  return g


def falling(t):
  """A rate that changes with every update: where it is multiplied in matters."""
  return 0.5 / (1.0 + t)


def run(opt, params=None, steps=5):
  """Updates of fixed random gradients, jitted; returns the parameters."""
  params = draw(0) if params is None else params
  state = opt.init(params)
  update = jax.jit(opt.update)
  for step in range(steps):
    updates, state = update(draw(step + 10), state, params)
    params = optax.apply_updates(params, updates)
  return params
