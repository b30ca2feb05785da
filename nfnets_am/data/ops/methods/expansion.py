"""Masks of many elements, expanded from one drawn word a row.

A host would take longer to draw every element's number with Philox than to mix the images. It
counts the same mask, to know what weight the row's label has, by a compiled function.
"""

from collections.abc import Mapping
import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nfnets_am.data.ops import arrays
from nfnets_am.data.ops.methods import laws
from nfnets_am.data.ops.methods import method


def halves(xp: arrays.Namespace, seed: Any, count: int, times: int = 1) -> tuple[Any, Any]:
  """Expands seeds into numbers, two for each word: first the words' low halves, then the high ones.

  Args:
    xp: the namespace.
    seed: int32 [R].
    count: of numbers for each seed.
    times: how often each stands in a row.

  Returns:
    int32 [R, some] and [R, the rest], together [R, count times], uniform in 0 to 65535.
  """
  words = arrays.words(xp, seed, (count + 1) // 2, times)
  low = xp.bitwise_and(words, xp.asarray(0xFFFF, 'uint32'))
  high = xp.right_shift(words, 16)[:, :count // 2 * times]
  return xp.cast(low, 'int32'), xp.cast(high, 'int32')


def mask(xp: arrays.Namespace, draws: Mapping[str, Any], count: int, times: int = 1) -> Any:
  """Returns bool [R, count times]: each number of halves(...), as one array, is below its share."""
  return xp.concat(halves(xp, draws['seed'], count, times), 1) < draws['share'][:, None]


def counted(seed: np.ndarray, share: np.ndarray, count: int) -> np.ndarray:
  """Returns how many of `count` numbers of each seed are below its share, int32 [R] each."""
  return np.asarray(_counted(*jax.device_put((seed, share), _device()), count))


@functools.partial(jax.jit, static_argnames='count')
def _counted(seed: jax.Array, share: jax.Array, count: int) -> jax.Array:
  low, high = ((half < share[:, None]).astype('int32')
               for half in halves(arrays.JAX, seed, count))
  # One sum of both: each by itself takes as long.
  both = high.shape[1]
  return jnp.sum(low[:, :both] + high, 1) + jnp.sum(low[:, both:], 1)


@functools.cache
def _device() -> jax.Device:
  """A CPU; where JAX is told to use an accelerator alone, that."""
  try:
    return jax.local_devices(backend='cpu')[0]
  except RuntimeError:
    return jax.local_devices()[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class RandomMask(method.Beta):
  """Each part of the image is the row's own with a probability lambda, drawn once a row.

  The weight of the row's own label is the share of the parts that are really its own.
  """

  def parts(self, height: int, width: int) -> int:
    """Returns how many parts images of H x W have."""
    raise NotImplementedError

  def draw(self, words: np.ndarray, height: int, width: int) -> dict[str, np.ndarray]:
    share = laws.share(words[0], words[1], self.alpha)
    seed = words[2].view(np.int32)
    count = self.parts(height, width)
    return {'weight': laws.weight(counted(seed, share, count), count),
            'share': share, 'seed': seed}
