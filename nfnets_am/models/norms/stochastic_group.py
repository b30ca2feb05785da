"""Group norms with the chance that batches give to batch norm (Summers 2021, appendix A.3).

Three ways to bring it in, none of which the thesis got to work well: noise on the statistics,
groups of random channels, and a number of groups that changes in training. It prints neither
numbers nor laws; what is chosen here is marked [C]. At inference all are group norm.
"""

from collections.abc import Callable
from collections.abc import Sequence

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import model
from nfnets_am.models.norms import batch_group
from nfnets_am.models.norms import norm


class _Stochastic(batch_group.BatchGroup):
  """Group norm that differs from it in training alone."""

  def __init__(self, name: str, scale_init: float = 1.0, *, groups: int, decay: float, eps: float):
    """Makes the norm; see batch_group.group, and norm.Norm."""
    super().__init__(name, scale_init, groups=groups, examples=1, decay=decay, eps=eps,
                     own_weight=1.0)


class Noisy(_Stochastic):
  """Adds normal noise to an example's statistics, of a size that moving averages say."""

  def __init__(self, name: str, scale_init: float = 1.0, *, noise: float, **options):
    """Makes the norm; see `noisy_group`."""
    super().__init__(name, scale_init, **options)
    self.noise = noise

  def train(self, x: jax.Array, mean: jax.Array, variance: jax.Array) -> jax.Array:
    """Normalises x by statistics with noise; see BatchGroup.train."""
    pool = self.pool(x, model.TRAINING)
    moving, squares = (pool(hk.get_state(name)) for name in ('mean', 'squares'))
    typical = jnp.sqrt(jnp.maximum(squares - jnp.square(moving), 0) + self.eps)
    # One draw of each for an example and a group: a channel has its group's.
    groups = min(self.groups, x.shape[-1])
    shape = mean.shape[:-1] + (groups,)
    of_mean, of_deviation = (
        jnp.repeat(self.noise * jax.random.normal(key, shape), x.shape[-1] // groups, axis=-1)
        for key in hk.next_rng_keys(2))
    own = jnp.sqrt(jnp.maximum(variance, 0) + self.eps)
    deviation = jnp.maximum(own + of_deviation * typical, own / 2)
    return self.normalise(x, mean + of_mean * typical, jnp.square(deviation) - self.eps)


class Random(_Stochastic):
  """Takes random channels together, other ones in each update."""

  def __init__(self, name: str, scale_init: float = 1.0, *, share: float, **options):
    """Makes the norm; see `random_group`."""
    super().__init__(name, scale_init, **options)
    self.share = share

  def pool(self, x: jax.Array, mode: model.Mode) -> Callable[[jax.Array], jax.Array]:
    """Returns what averages moments [..., C] over groups of channels."""
    if not mode.is_training:
      return super().pool(x, mode)
    of_order, of_whether = hk.next_rng_keys(2)
    usual = jnp.arange(x.shape[-1])
    order = jnp.where(jax.random.bernoulli(of_whether, self.share),
                      jax.random.permutation(of_order, usual), usual)
    back = jnp.argsort(order)
    return lambda moment: batch_group.over_groups(moment[..., order], self.groups)[..., back]


class Changing(_Stochastic):
  """Has one number of groups after another in training, and the last one at inference."""

  def __init__(self, name: str, scale_init: float = 1.0, *, numbers: Sequence[int], **options):
    """Makes the norm; see `changing_group`."""
    super().__init__(name, scale_init, groups=numbers[-1], **options)
    self.numbers = numbers

  def pool(self, x: jax.Array, mode: model.Mode) -> Callable[[jax.Array], jax.Array]:
    """Returns what averages moments [..., C] over groups of channels."""
    if not mode.is_training:
      return super().pool(x, mode)
    count = len(self.numbers)
    now = jnp.clip(jnp.asarray(mode.progress * count).astype(jnp.int32), 0, count - 1)
    # Moments are small beside x: all numbers of groups cost next to nothing.
    return lambda moment: jnp.stack(
        [batch_group.over_groups(moment, number) for number in self.numbers])[now]


def noisy_group(*, groups: int = 32, noise: float = 0.1, decay: float = 0.99,
                eps: float = 1e-5) -> norm.Maker:
  """Group norm with noise on mean and deviation of each example and group.

  Args:
    groups, decay, eps: as of batch_group.batch_group.
    noise: standard deviation of both, as a multiple of the deviation that the moving averages have
      [C]; 0 or more. A deviation does not fall below half of itself [C].

  Raises:
    ConfigError: an argument out of its range.
  """
  if not 0 <= noise < float('inf'):
    raise errors.ConfigError(f'the norm noisy_group(noise={noise}); allowed: 0 or more')
  return _maker(Noisy, 'noisy_group', decay, eps, groups=groups, noise=noise)


def random_group(*, groups: int = 32, share: float = 1.0, decay: float = 0.99,
                 eps: float = 1e-5) -> norm.Maker:
  """Group norm over random channels.

  Args:
    groups, decay, eps: as of batch_group.batch_group.
    share: of the updates that draw groups, in [0, 1]; the others have consecutive channels.

  Raises:
    ConfigError: an argument out of its range.
  """
  if not 0 <= share <= 1:
    raise errors.ConfigError(f'the norm random_group(share={share}); allowed: in [0, 1]')
  return _maker(Random, 'random_group', decay, eps, groups=groups, share=share)


def changing_group(*, numbers: Sequence[int] = (4, 8, 16, 32), decay: float = 0.99,
                   eps: float = 1e-5) -> norm.Maker:
  """Group norm whose number of groups changes in equal parts of the training [C].

  Args:
    numbers: of groups, in their order, each as of batch_group.batch_group.
    decay, eps: as there.

  Raises:
    ConfigError: an argument out of its range.
  """
  if not numbers:
    raise errors.ConfigError('the norm changing_group(numbers=()); allowed: one number or more')
  for number in numbers:
    norm.check_count('changing_group', 'numbers', number)
  return _maker(Changing, 'changing_group', decay, eps, numbers=tuple(numbers))


def _maker(kind, name, decay, eps, **options):
  norm.check(name, decay=decay, eps=eps)
  norm.check_count(name, 'groups', options.get('groups', 1))
  return norm.maker(kind, 1, decay=decay, eps=eps, **options)
