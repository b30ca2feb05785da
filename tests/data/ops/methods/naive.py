"""What each method does to one element of one row, in Python's own numbers."""

import functools
import math
import statistics

import numpy as np

_32 = 2**32


def _lowbias(x):
  for places, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
    x = (x ^ x >> places) * factor % _32
  return x ^ x >> 16


@functools.cache
def halves(seed, count):
  """Numbers below 65536: the low halves of the words of a seed, then the high ones."""
  words = [_lowbias((_lowbias(seed % _32) + i * 0x9E3779B9) % _32) for i in range(-(-count // 2))]
  return ([word % 65536 for word in words] + [word // 65536 for word in words])[:count]


def _noisy(method, d, place, size):
  noise = statistics.NormalDist(0, method.noise_std * 65536).inv_cdf(
      (halves(d['seed'], size[0] * size[1])[place[0] * size[1] + place[1]] + 0.5) / 65536)
  return min(max(d['share'] + round(noise), 0), 65536) / 65536


def _cell(d, r, c):
  return d['cells'] >> 2 * (r >= d['rows']) + (c >= d['cols']) & 1


def _vh(d, r, c):
  share = d['share'] / 65536
  upper, left = r < d['rows'], c < d['cols']
  return {(1, 1): 1, (1, 0): share, (0, 1): 1 - share, (0, 0): 0}[upper, left]


def _in_box(d, r, c):
  return d['top'] <= r < d['bottom'] and d['left'] <= c < d['right']


def own_weight(method, d, place, size):
  """The weight of the row's own element, at place (r, c, k) of size (H, W, C)."""
  r, c, k = place
  drawn = lambda count, number: halves(d['seed'], count)[number] < d['share']
  return float({
      'cutmix': lambda: _in_box(d, r, c),
      'horizontal_concat': lambda: c < d['cols'],
      'mixed_concat': lambda: (r < d['rows']) == (c < d['cols']),
      'mixup': lambda: d['share'] / 65536,
      'noisy_mixup': lambda: _noisy(method, d, place, size),
      'random_2x2': lambda: _cell(d, r, c),
      'random_column_interval': lambda: not d['low'] <= c < d['high'],
      'random_columns': lambda: drawn(size[1], c),
      'random_elements': lambda: drawn(math.prod(size), (r * size[1] + c) * size[2] + k),
      'random_pixels': lambda: drawn(size[0] * size[1], r * size[1] + c),
      'random_row_interval': lambda: not d['low'] <= r < d['high'],
      'random_rows': lambda: drawn(size[0], r),
      'random_square': lambda: not _in_box(d, r, c),
      'vertical_concat': lambda: r < d['rows'],
      'vh_mixup': lambda: _vh(d, r, c),
  }[method.name]())


def _source(method, d, r, c):
  """The place of the partner's element that shows at (r, c)."""
  if method.name == 'random_square':
    return r + d['down'], c + d['across']
  if method.name == 'random_row_interval':
    return r + d['shift'], c
  if method.name == 'random_column_interval':
    return r, c + d['shift']
  return r, c


def weights(method, d, size):
  """float64 [H, W, C]: `own_weight` everywhere."""
  out = np.empty(size)
  for place in np.ndindex(size):
    out[place] = own_weight(method, d, place, size)
  return out


def mixed(method, d, own, partner, weight):
  """float64 [H, W, C]: one row mixed by the weights of its own elements."""
  out = np.empty(own.shape)
  for r, c, k in np.ndindex(own.shape):
    w = weight[r, c, k]
    out[r, c, k] = w * own[r, c, k]
    if w < 1:
      out[r, c, k] += (1 - w) * partner[(*_source(method, d, r, c), k)]
  return out


def bc(method, d, own, partner):
  """float64 [H, W, C]: BC+ and VH-BC+ as eq. 2.4 has them, with 0 < lambda."""
  own, partner = own.astype(np.float64), partner.astype(np.float64)
  if method.law == 'text':
    own, partner = own - own.mean(), partner - partner.mean()
  if method.name == 'vh_bc_plus':
    vertical = np.concatenate([own[:d['rows']], partner[d['rows']:]], 0)
    horizontal = np.concatenate([own[:, :d['cols']], partner[:, d['cols']:]], 1)
    own, partner = vertical, horizontal
  share = d['share'] / 65536
  if not share:
    return partner
  p = 1 / (1 + (own.std() + method.epsilon) / (partner.std() + method.epsilon)
           * (1 - share) / share)
  return (p * own + (1 - p) * partner) / math.hypot(p, 1 - p)
