"""Networks written down step by step, in float64, from a tree of weights; no Haiku."""

import jax
import jax.numpy as jnp
import numpy as np


class Network:
  """The operations, on weights by the names of the modules; keeps what the norms would move.

  Attributes:
    params: {module: {name: array}}.
    averages: {module: {name: array}}, the moving statistics before this call.
    moved: the moving statistics after this call, where it has trained.
  """

  def __init__(self, scope, params, averages, *, training, decay, eps):
    self.scope, self.params, self.averages = scope, params, averages
    self.training, self.decay, self.eps, self.moved = training, decay, eps, {}

  def conv(self, name, x, stride=1, pad=(0, 0)):
    w = self.params[f'{self.scope}/{name}']['w']
    x = jnp.pad(x, ((0, 0), (pad[0],) * 2, (pad[1],) * 2, (0, 0)))
    return jax.lax.conv_general_dilated(
        x, w, (stride, stride), 'VALID', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))

  def norm(self, name, x):
    name = f'{self.scope}/{name}'
    old, weights = self.averages[name], self.params[name]
    mean, variance = old['mean'], old['variance']
    if self.training:
      count = x.size // x.shape[-1]
      mean = x.sum((0, 1, 2)) / count
      variance = ((x - mean) ** 2).sum((0, 1, 2)) / count
      self.moved[name] = {
          'mean': self.decay * old['mean'] + (1 - self.decay) * mean,
          'variance': self.decay * old['variance'] + (1 - self.decay) * variance * count
                      / (count - 1)}
    return (x - mean) / jnp.sqrt(variance + self.eps) * weights['scale'] + weights['offset']

  def linear(self, name, x):
    weights = self.params[f'{self.scope}/{name}']
    return x @ weights['w'] + weights['b']


def relu(x):
  return jnp.where(x > 0, x, 0)


def windows(x, side, stride):
  """Cuts [B, H, W, C] into [side * side, B, H', W', C], what lies wholly within."""
  rows, columns = ((n - side) // stride + 1 for n in x.shape[1:3])
  return jnp.stack([
      x[:, i:i + stride * (rows - 1) + 1:stride, j:j + stride * (columns - 1) + 1:stride]
      for i in range(side) for j in range(side)])


def neighbours(x):
  """Returns the mean of the 3x3 pixels around each, of those that there are."""
  padded = lambda x: windows(jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 3, 1).sum(0)
  return padded(x) / padded(jnp.ones_like(x))


def disturb(tree, seed=0):
  """Returns the weights with scales, offsets and biases that are not 1 and 0, in float64."""
  rng = np.random.default_rng(seed)
  return jax.tree.map(lambda w: np.float64(w) + (
      rng.uniform(-0.2, 0.2, w.shape) if w.ndim == 1 else 0), tree)


def assert_same(found, expected, tolerance):
  """Compares trees of arrays; differences are held against the greatest of each array."""
  assert jax.tree.structure(found) == jax.tree.structure(expected)
  for (path, a), b in zip(
      jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True):
    np.testing.assert_allclose(
        a, b, rtol=0, atol=tolerance * np.abs(b).max() + 1e-9, err_msg=jax.tree_util.keystr(path))
