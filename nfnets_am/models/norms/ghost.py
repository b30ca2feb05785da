"""Batch norm (Ioffe and Szegedy 2015) and ghost batch norm (Hoffer et al. 2017).

A ghost batch is `size` consecutive rows: with several views of an image the layout of the batch
must put different images side by side, or a run is refused (norms.check_images). Batch norm has one
ghost batch, all rows of a device.
"""

import math

import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import model
from nfnets_am.models.norms import norm

# What moves besides the mean: Bessel's N / (N - 1) times a ghost batch's variance, as torch and the
# fused kernel of TensorFlow store it; that variance itself, as Haiku and Flax do; or E[x^2].
VARIANCES = ('unbiased', 'biased', 'squares')


class Ghost(norm.Norm):
  """Statistics of ghost batches in training, moving ones at inference."""

  def __init__(self, name: str, scale_init: float = 1.0, *, size: int | None, decay: float,
               eps: float, variance: str):
    """Makes the norm; see `ghost`, and norm.Norm."""
    super().__init__(name, scale_init, decay=decay, eps=eps)
    self.size, self.variance = size, variance

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Normalises [B, ..., C]."""
    second = 'squares' if self.variance == 'squares' else 'variance'
    moving = self.moving('mean', x.shape[-1], 0.0), self.moving(second, x.shape[-1], 1.0)
    if not mode.is_training:
      mean, variance = moving
      if self.variance == 'squares':
        variance = variance - jnp.square(mean)
      # Bessel's factor stays: it is next to 1 wherever the variance was collected over maps.
      weight = 0.0 if mode.example_weight is None else mode.example_weight
      return self.infer(x, weight, mean, variance)
    size = norm.group_size(x, self.size, f'ghost(size={self.size})')
    mean, squares = norm.moments(x, size)
    variance = squares - jnp.square(mean)
    stored = {'squares': squares, 'biased': variance,
              'unbiased': variance * _bessel(size * math.prod(x.shape[1:-1]))}[self.variance]
    for name, old, new in zip(('mean', second), moving, (mean, stored), strict=True):
      new = new.reshape(-1, x.shape[-1])
      if self.variance == 'squares':
        new = new.mean(0, keepdims=True)
      self.follow(name, old, new)
    return self.normalise(x, mean, variance)


def _bessel(count: int) -> float:
  return count / max(count - 1, 1)


def batch(*, decay: float = 0.9, eps: float = 1e-5, variance: str = 'unbiased') -> norm.Maker:
  """Batch norm over a device's rows, with torch's defaults; see `ghost`."""
  return _maker('batch', None, decay, eps, variance)


def ghost(*, size: int, decay: float = 0.9, eps: float = 1e-5,
          variance: str = 'unbiased') -> norm.Maker:
  """Ghost batch norm.

  Args:
    size: rows of a ghost batch, a divisor of a device's rows; cut to them.
    decay: of the moving statistics, in [0, 1).
    eps: added to variances, 0 or more.
    variance: one of VARIANCES. With 'unbiased' and 'biased' the ghost batches move the statistics
      one after the other, as they do where each is a pass of its own (Hoffer et al. 2020); with
      'squares' E[x] and E[x^2] of all rows move them once, as in the code of Summers 2021, ch. 4,
      so that the variance between ghost batches counts too.

  Raises:
    ConfigError: an argument out of its range.
  """
  norm.check_count('ghost', 'size', size)
  return _maker('ghost', size, decay, eps, variance)


def _maker(name, size, decay, eps, variance):
  norm.check(name, decay=decay, eps=eps)
  if variance not in VARIANCES:
    raise errors.ConfigError(
        f'the norm {name}(variance={variance!r}); allowed: {", ".join(VARIANCES)}')
  return norm.maker(Ghost, size, size=size, decay=decay, eps=eps, variance=variance)
