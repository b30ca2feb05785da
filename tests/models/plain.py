"""Networks written down step by step, in float64, from a tree of weights: numpy, no Haiku."""

import jax
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
    """Sums over the kernel's places."""
    w = self.params[f'{self.scope}/{name}']['w']
    x = np.pad(x, ((0, 0), (pad[0],) * 2, (pad[1],) * 2, (0, 0)))
    height, width = ((n - side) // stride + 1
                     for n, side in zip(x.shape[1:3], w.shape[:2], strict=True))
    return sum(x[:, i::stride, j::stride][:, :height, :width] @ w[i, j]
               for i in range(w.shape[0]) for j in range(w.shape[1]))

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
    return (x - mean) / np.sqrt(variance + self.eps) * weights['scale'] + weights['offset']

  def linear(self, name, x):
    weights = self.params[f'{self.scope}/{name}']
    return x @ weights['w'] + weights['b']


def relu(x):
  return np.maximum(x, 0)


def windows(x, side, stride):
  """Cuts [B, H, W, C] into [side * side, B, H', W', C], what lies wholly within."""
  rows, columns = ((n - side) // stride + 1 for n in x.shape[1:3])
  return np.stack([
      x[:, i:i + stride * (rows - 1) + 1:stride, j:j + stride * (columns - 1) + 1:stride]
      for i in range(side) for j in range(side)])


def neighbours(x):
  """Returns the mean of the 3x3 pixels around each, of those that there are."""
  padded = lambda x: windows(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), 3, 1).sum(0)
  return padded(x) / padded(np.ones_like(x))


def assert_same(found, expected, tolerance):
  """Compares trees of arrays; differences are held against the greatest of each array."""
  assert jax.tree.structure(found) == jax.tree.structure(expected)
  for (path, a), b in zip(
      jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(expected), strict=True):
    np.testing.assert_allclose(
        a, b, rtol=0, atol=tolerance * np.abs(b).max() + 1e-9, err_msg=jax.tree_util.keystr(path))


def assert_slopes(gradient, weights, loss):
  """Compares slopes along random directions with differences in float64.

  Args:
    gradient: tree of arrays, as a model has it.
    weights: such a tree, float64.
    loss: of such a tree, as written down plainly.
  """
  length = np.sqrt(sum((np.float64(g) ** 2).sum() for g in jax.tree.leaves(gradient)))
  for seed in range(3):
    rng = np.random.default_rng(seed)
    direction = jax.tree.map(lambda w, rng=rng: rng.normal(size=w.shape), weights)
    # So short that next to no ReLU and no pool changes its mind in between.
    here, there = (loss(jax.tree.map(lambda w, d, step=step: w + step * d, weights, direction))
                   for step in (1e-8, -1e-8))
    slope = sum((g * d).sum() for g, d in zip(
        jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True))
    error = abs((here - there) / 2e-8 - slope) / length
    assert error < 1e-3, error
