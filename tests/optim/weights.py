"""Parameters with the names and shapes that masks, clips and penalties look at."""

import jax.numpy as jnp
import numpy as np

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


def draw(seed, scale=1.0):
  rng = np.random.default_rng(seed)
  return {m: {n: jnp.asarray(scale * rng.standard_normal(shape), jnp.float32)
              for n, shape in weights.items()} for m, weights in SHAPES.items()}


def one(w, module='net/conv'):
  return {module: {'w': jnp.asarray(w, jnp.float32)}}
