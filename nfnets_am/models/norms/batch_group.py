"""Group norm (Wu and He 2018) and its union with batch norm (Summers 2021, sec. 4.3.4).

Statistics are taken over groups of consecutive channels and of consecutive rows. The moving ones
are E[x] and E[x^2] of each channel over all rows, as in the public code; they are averaged over
channel groups where they are used, so that they serve any grouping.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import model
from nfnets_am.models.norms import norm


class BatchGroup(norm.Norm):
  """Statistics over groups of rows and channels in training; at inference see Mode."""

  def __init__(self, name: str, scale_init: float = 1.0, *, groups: int, examples: int,
               decay: float, eps: float, own_weight: float):
    """Makes the norm; see `batch_group`, and norm.Norm.

    Args:
      name, scale_init, decay, eps: as of norm.Norm.
      groups, examples: as of `batch_group`.
      own_weight: of an example's own statistics at inference, where the mode does not say.
    """
    super().__init__(name, scale_init, decay=decay, eps=eps)
    self.groups, self.examples, self.own_weight = groups, examples, own_weight

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Normalises [B, ..., C]."""
    channels = x.shape[-1]
    pool = self.pool(x, mode)
    moving = self.moving('mean', channels, 0.0), self.moving('squares', channels, 1.0)
    if not mode.is_training:
      weight = self.own_weight if mode.example_weight is None else mode.example_weight
      mean, squares = map(pool, moving)
      return self.infer(x, weight, mean, squares - jnp.square(mean), pool)
    found = norm.moments(
        x, norm.group_size(x, self.examples, f'batch_group(examples={self.examples})'))
    for name, old, new in zip(('mean', 'squares'), moving, found, strict=True):
      self.follow(name, old, new.reshape(-1, channels).mean(0, keepdims=True))
    mean, squares = map(pool, found)
    return self.train(x, mean, squares - jnp.square(mean))

  def train(self, x: jax.Array, mean: jax.Array, variance: jax.Array) -> jax.Array:
    """Normalises x in training by the statistics of its groups; see Norm.normalise."""
    return self.normalise(x, mean, variance)

  def pool(self, x: jax.Array, mode: model.Mode) -> Callable[[jax.Array], jax.Array]:
    """Returns what averages moments [..., C] over the groups of channels of x in a mode."""
    del mode
    return lambda moment: over_groups(moment, self.groups)


def over_groups(moment: jax.Array, groups: int) -> jax.Array:
  """Averages moments [..., C] over groups of consecutive channels, and gives each its group's.

  Args:
    moment: [..., C].
    groups: a divisor of C; more of them leave one channel to each.

  Raises:
    ConfigError: another number of groups.
  """
  channels = moment.shape[-1]
  groups = min(groups, channels)
  if channels % groups:
    raise errors.ConfigError(
        f'the norm of {groups} groups over {channels} channels; allowed: a divisor of them, or as '
        'many and more')
  width = channels // groups
  means = moment.reshape(moment.shape[:-1] + (groups, width)).mean(-1)
  return jnp.repeat(means, width, axis=-1)


def batch_group(*, groups: int = 32, examples: int = 2, decay: float = 0.99,
                eps: float = 1e-5) -> norm.Maker:
  """The union of batch and group norm.

  Args:
    groups: of channels, a divisor of their number. More groups than channels leave one channel to
      each, as in the public code.
    examples: rows of a group, a divisor of a device's rows; cut to them.
    decay: of the moving moments, in [0, 1).
    eps: added to variances, 0 or more.

  Raises:
    ConfigError: an argument out of its range.
  """
  return _maker('batch_group', groups, examples, decay, eps, 0.0)


def group(*, groups: int = 32, decay: float = 0.99, eps: float = 1e-5) -> norm.Maker:
  """Group norm: an example's own statistics, at inference too if Mode.example_weight says no less.

  Arguments as of `batch_group`. The moving moments are collected for the weights below 1.
  """
  return _maker('group', groups, 1, decay, eps, 1.0)


def _maker(name, groups, examples, decay, eps, own_weight):
  norm.check(name, decay=decay, eps=eps)
  norm.check_count(name, 'groups', groups)
  norm.check_count(name, 'examples', examples)
  return norm.maker(BatchGroup, examples, groups=groups, examples=examples, decay=decay, eps=eps,
                    own_weight=own_weight)
