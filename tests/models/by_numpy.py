"""Networks step by step in numpy, in float64, and how a model is held against one."""

import jax
import numpy as np

from nfnets_am.models import model as model_lib
from tests.models import plain

EPS, DECAY = 1e-5, 0.9  # Of the norm 'batch()'.


class Network:
  """The operations, on weights by the names of the modules; keeps what the norms move.

  Attributes:
    moved: the moving statistics after this call, where it has trained.
  """

  def __init__(self, scope, params, averages, training):
    self.scope, self.params, self.averages = scope, params, averages
    self.training, self.moved = training, {}

  def conv(self, name, x, stride=(1, 1), dilation=1, pad=None):
    """Sums over the kernel's places; `pad` keeps the size at stride 1 where it is not given."""
    weights = self.params[f'{self.scope}/{name}']
    w = weights['w']
    reach = [dilation * (side - 1) for side in w.shape[:2]]
    pad = [r // 2 for r in reach] if pad is None else pad
    x = np.pad(x, [(0, 0), (pad[0],) * 2, (pad[1],) * 2, (0, 0)])
    height, width = ((n - r - 1) // s + 1 for n, r, s in zip(x.shape[1:3], reach, stride,
                                                            strict=True))
    depthwise = w.shape[2] == 1 and x.shape[3] > 1
    total = 0.0
    for i in range(w.shape[0]):
      for j in range(w.shape[1]):
        seen = x[:, i * dilation::stride[0], j * dilation::stride[1]][:, :height, :width]
        total = total + (seen * w[i, j, 0] if depthwise else seen @ w[i, j])
    return total + weights.get('b', 0.0)

  def norm(self, name, x):
    name = f'{self.scope}/{name}'
    old, weights = self.averages[name], self.params[name]
    mean, variance = old['mean'], old['variance']
    if self.training:
      rows = x.reshape(-1, x.shape[-1])
      mean = rows.sum(0) / len(rows)
      squares = ((rows - mean) ** 2).sum(0)
      variance = squares / len(rows)
      self.moved[name] = {
          'mean': DECAY * old['mean'] + (1 - DECAY) * mean,
          'variance': DECAY * old['variance'] + (1 - DECAY) * squares / (len(rows) - 1)}
    return (x - mean) / np.sqrt(variance + EPS) * weights['scale'] + weights['offset']

  def linear(self, name, x):
    weights = self.params[f'{self.scope}/{name}']
    return x @ weights['w'] + weights.get('b', 0.0)


def relu(x):
  return np.maximum(x, 0)


def windows(x, side, stride, pad, fill):
  """Cuts [B, H, W, C] into [side * side, B, H', W', C], with `fill` around the image."""
  x = np.pad(x, [(0, 0), (pad, pad), (pad, pad), (0, 0)], constant_values=fill)
  height, width = ((n - side) // stride + 1 for n in x.shape[1:3])
  return np.stack([x[:, i::stride, j::stride][:, :height, :width]
                   for i in range(side) for j in range(side)])


def max_pool(x, side, stride, pad=0):
  return windows(x, side, stride, pad, -np.inf).max(0)


def average_pool(x, side, stride, pad=0):
  """The mean of those pixels that there are."""
  return np.nanmean(windows(x, side, stride, pad, np.nan), 0)


def draw(model, images, seed=0):
  """Returns params and averages, float64, that are not those of the start.

  Each kernel's fan-in keeps a signal's size; scales and variances are near 1, the rest near 0.
  """
  rng = np.random.default_rng(seed)

  def array(name, shape):
    if name == 'w':
      return rng.normal(size=shape) * np.sqrt(2 / np.prod(shape[:-1]))
    return (name in ('scale', 'variance')) + rng.uniform(-0.2, 0.2, shape)

  params, state = jax.eval_shape(model.init, jax.random.key(0), np.float32(images))
  return tuple({module: {name: array(name, leaf.shape) for name, leaf in leaves.items()}
                for module, leaves in tree.items()} for tree in (params, state.averages))


def _float32(tree):
  return jax.tree.map(np.float32, tree)


def compare(model, by_hand, images, without_gradient=lambda module, name: False):
  """Holds a model against the same in numpy: training, what it moves, gradients, inference.

  Args:
    model: without dropout, so that it needs no random numbers.
    by_hand: (params, averages, images, training) -> ({'logits' and auxiliary names: [B, K]}, what
      the norms move).
    images: float64 [B, H, W, C].
    without_gradient: which (module, name) do not act, such as a bias before a norm.
  """
  params, averages = draw(model, images)
  expected = by_hand(params, averages, images, True)
  rng = np.random.default_rng(1)
  cotangents = {name: rng.normal(size=out.shape) for name, out in expected[0].items()}

  def loss(outs):
    return sum((cotangents[name] * out).sum() for name, out in outs.items())

  @jax.jit
  def found(params, averages, images):
    state = model_lib.State(averages, {})

    def of_params(params):
      outputs, after = model.apply(params, state, None, images, model_lib.TRAINING)
      outs = {'logits': outputs.logits, **outputs.auxiliary}
      return loss(outs), (outs, after.averages)

    gradient, trained = jax.grad(of_params, has_aux=True)(params)
    outputs, after = model.apply(params, state, None, images, model_lib.EVALUATION)
    return gradient, trained, (outputs.logits, outputs.auxiliary, after.averages)

  gradient, trained, (logits, auxiliary, after) = jax.device_get(
      found(*_float32((params, averages, images))))
  plain.assert_same(trained, expected, 1e-4)
  tested, _ = by_hand(params, averages, images, False)
  plain.assert_same({'logits': logits, **auxiliary}, tested, 1e-4)
  jax.tree.map(np.testing.assert_array_equal, after, _float32(averages))
  length = np.sqrt(sum((np.float64(g) ** 2).sum() for g in jax.tree.leaves(gradient)))
  for module, leaves in gradient.items():
    for name, g in leaves.items():
      acts = np.abs(g).max() > 1e-5 * length
      assert acts != without_gradient(module, name), (module, name)
  plain.assert_slopes(gradient, params,
                      lambda params: loss(by_hand(params, averages, images, True)[0]))
