"""Text models token by token in float64 numpy, with masks that are given."""

import numpy as np

RATE = 0.5


class Given:
  """Stands in for noise.Noise: its masks are drawn once, in the order of the calls, and kept.

  `masks` is what the loops below take them from, in the same order.
  """

  def __init__(self, seed=0):
    self._rng, self.masks = np.random.default_rng(seed), []

  def locked(self, x, rate):
    return self._drop(x, rate, (x.shape[0], 1, x.shape[2]))

  def each(self, x, rate):
    return self._drop(x, rate, x.shape)

  def weights(self, w, rate):
    return self._drop(w, rate, w.shape)

  def words(self, table, rate):
    return self._drop(table, rate, (len(table), 1))

  def _drop(self, x, rate, shape):
    mask = (self._rng.random(shape) >= rate) / (1 - rate)
    self.masks.append(mask)
    return x * mask.astype(np.float32)


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def lstm_layer(p, name, x, lengths, carry, masks):
  w, b = p[f'{name}/input']['w'], p[f'{name}/input']['b']
  u, c = p[f'{name}/hidden']['w'] * next(masks), p[f'{name}/hidden']['b']
  units = len(u)
  y = np.zeros((*x.shape[:2], units))
  after = {key: np.array(value, np.float64) for key, value in carry.items()}
  for r in range(len(x)):
    h, s = after['hidden'][r], after['cell'][r]
    for t in range(lengths[r]):
      i, f, g, o = np.split(x[r, t] @ w + b + h @ u + c, 4)
      s = sigmoid(f) * s + sigmoid(i) * np.tanh(g)
      h = y[r, t] = sigmoid(o) * np.tanh(s)
    after['hidden'][r], after['cell'][r] = h, s
  return y, after


def qrnn_layer(p, name, x, lengths, carry, masks):
  w, b = p[name]['w'] * next(masks), p[name]['b']
  units = len(b) // 3
  y = np.zeros((*x.shape[:2], units))
  after = {key: np.array(value, np.float64) for key, value in carry.items()}
  for r in range(len(x)):
    s = after['cell'][r]
    before = after['before'][r] if 'before' in carry else np.zeros(0)
    for t in range(lengths[r]):
      z, f, o = np.split(np.concatenate([x[r, t], before]) @ w + b, 3)
      s = sigmoid(f) * np.tanh(z) + (1 - sigmoid(f)) * s
      y[r, t] = sigmoid(o) * s
      before = x[r, t] if 'before' in carry else before
    after['cell'][r] = s
    if 'before' in carry:
      after['before'][r] = before
  return y, after


def recurrent(p, name, layer, layers, tokens, lengths, carry, masks):
  """Returns logits, the last layer's raw and dropped outputs, and the next carry."""
  masks = iter(masks)
  table, bias = p[f'{name}/words']['w'], p[f'{name}/words']['b']
  x = (table * next(masks))[tokens] * next(masks)
  after = {}
  for number in range(layers):
    if number:
      x = x * next(masks)
    key = f'layer{number}'
    x, after[key] = layer(p, f'{name}/{key}', x, lengths, carry[key], masks)
  dropped = x * next(masks)
  return dropped @ table.T + bias, x, dropped, after


def nll(logits, target):
  return np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[target]


def norm(p, x):
  scale, offset = p['scale'], p['offset']
  return (x - x.mean()) / np.sqrt(x.var() + 1e-5) * scale + offset


def transformer(p, layers, heads, source, source_lengths, tokens, masks):
  """Returns logits [R, T, K]."""
  masks = iter(masks)
  table, bias = p['transformer/words']['w'], p['transformer/words']['b']
  width = table.shape[1]

  def embed(ids):
    x = table[ids] * width ** 0.5
    for t in range(ids.shape[1]):
      for i in range(width // 2):
        angle = t * 10_000 ** (-i / (width // 2 - 1))
        x[:, t, i] += np.sin(angle)
        x[:, t, width // 2 + i] += np.cos(angle)
    return x * next(masks)

  def linear(name, x):
    return x @ p[name]['w'] + p[name]['b']

  def add(name, x, more):
    x = x + more * next(masks)
    return np.array([[norm(p[f'{name}_norm'], one) for one in row] for row in x])

  def attend(name, x, seen, visible):
    w, b = p[name]['w'], p[name]['b']
    q, k, v = (y @ w[:, i * width:(i + 1) * width] + b[i * width:(i + 1) * width]
               for i, y in enumerate((x, seen, seen)))
    keep, size = next(masks), width // heads
    out = np.zeros_like(x)
    for r in range(len(x)):
      for h in range(heads):
        part = slice(h * size, (h + 1) * size)
        for t in range(x.shape[1]):
          places = [s for s in range(seen.shape[1]) if visible(r, t, s)]
          scores = np.array([q[r, t, part] @ k[r, s, part] / size ** 0.5 for s in places])
          weights = np.exp(scores - scores.max())
          weights /= weights.sum()
          for s, weight in zip(places, weights, strict=True):
            out[r, t, part] += weight * keep[r, h, t, s] * v[r, s, part]
    return add(name, x, linear(f'{name}/out', out))

  def feed(name, x):
    hidden = np.maximum(linear(f'{name}_inner', x), 0) * next(masks)
    return add(f'{name}_feed', x, linear(f'{name}_outer', hidden))

  there = lambda r, t, s: s < source_lengths[r]
  memory = embed(source)
  for number in range(layers):
    name = f'transformer/encoder{number}'
    memory = feed(name, attend(f'{name}_self', memory, memory, there))
  x = embed(tokens)
  for number in range(layers):
    name = f'transformer/decoder{number}'
    x = attend(f'{name}_self', x, x, lambda r, t, s: s <= t)
    x = attend(f'{name}_source', x, memory, there)
    x = feed(name, x)
  return x @ table.T + bias
