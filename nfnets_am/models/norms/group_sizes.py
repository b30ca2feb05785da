"""Group norms that find their numbers of groups themselves (Summers 2021, appendix A.3)."""

from collections.abc import Callable
from collections.abc import Sequence
import functools
import math

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.core import errors
from nfnets_am.models import model
from nfnets_am.models.norms import batch_group
from nfnets_am.models.norms import norm


class Even(batch_group.BatchGroup):
  """Group norm with about as many elements in every group of the network."""

  def __init__(self, name: str, scale_init: float = 1.0, *, elements: int, decay: float,
               eps: float):
    """Makes the norm; see `even_group`."""
    super().__init__(name, scale_init, groups=1, examples=1, decay=decay, eps=eps, own_weight=1.0)
    self.elements = elements

  def pool(self, x: jax.Array, mode: model.Mode) -> Callable[[jax.Array], jax.Array]:
    """Returns what averages moments [..., C] over groups of channels."""
    del mode
    groups = groups_of(x.shape[-1], math.prod(x.shape[1:-1]), self.elements)
    return functools.partial(batch_group.over_groups, groups=groups)


def groups_of(channels: int, positions: int, elements: int) -> int:
  """Returns the divisor of the channels by which groups are nearest to a number of elements.

  Args:
    channels: C.
    positions: H W.
    elements: that a group of positions x channels should have. Nearest is meant as a factor; of two
      that are as near the larger groups.
  """
  divisors = [groups for groups in range(1, channels + 1) if channels % groups == 0]
  return min(divisors, key=lambda groups: abs(
      math.log(positions * channels / groups / elements)))


class Switchable(norm.Norm):
  """A learnt mean of the statistics of several group norms."""

  def __init__(self, name: str, scale_init: float = 1.0, *, numbers: Sequence[int], eps: float):
    """Makes the norm; see `switchable`."""
    super().__init__(name, scale_init, decay=0.0, eps=eps)
    self.numbers = numbers

  def __call__(self, x: jax.Array, mode: model.Mode) -> jax.Array:
    """Normalises [B, ..., C]."""
    del mode
    own, squares = norm.moments(x, 1)
    means, seconds = (
        jnp.stack([batch_group.over_groups(moment, number) for number in self.numbers])
        for moment in (own, squares))
    mean, variance = (
        jnp.tensordot(jax.nn.softmax(hk.get_parameter(
            f'{name}_weights', (len(self.numbers),), jnp.float32, jnp.ones)), moments, 1,
                      precision='highest')
        for name, moments in (('mean', means), ('variance', seconds - jnp.square(means))))
    return self.normalise(x, mean, variance)


def even_group(*, elements: int = 4096, decay: float = 0.99, eps: float = 1e-5) -> norm.Maker:
  """Group norm whose groups have a constant number of elements, height x width x channels.

  Args:
    elements: see groups_of.
    decay, eps: as of batch_group.batch_group.

  Raises:
    ConfigError: an argument out of its range.
  """
  norm.check('even_group', decay=decay, eps=eps)
  norm.check_count('even_group', 'elements', elements)
  return norm.maker(Even, 1, elements=elements, decay=decay, eps=eps)


def switchable(*, numbers: Sequence[int] = (1, 4, 16, 64), eps: float = 1e-5) -> norm.Maker:
  """Switchable normalisation (Luo et al. 2019) between numbers of groups.

  Means and variances have softmax weights of their own, learnt as other parameters are, from equal
  ones. There are no moving statistics: an example has its own at inference too.

  Args:
    numbers: of groups, each as of batch_group.batch_group; two or more.
    eps: added to variances, 0 or more.

  Raises:
    ConfigError: an argument out of its range.
  """
  norm.check('switchable', decay=0.0, eps=eps)
  if len(numbers) < 2:
    raise errors.ConfigError(
        f'the norm switchable(numbers={tuple(numbers)}); allowed: two numbers of groups or more')
  for number in numbers:
    norm.check_count('switchable', 'numbers', number)
  return norm.maker(Switchable, 1, numbers=tuple(numbers), eps=eps)
