"""Mean and variance of a stream of arrays, in the memory of two of them (Welford 1962)."""

from typing import Any
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Moments(NamedTuple):
  """What has been seen of a stream of trees.

  Attributes:
    count: float32 scalar, trees seen.
    mean: tree of float32, their mean.
    squares: tree of float32, the sum of their squared distances from the mean.
  """

  count: jax.Array
  mean: Any
  squares: Any


def start(like: Any) -> Moments:
  """Returns the moments of an empty stream of trees like this one."""
  zeros = lambda: jax.tree.map(lambda x: jnp.zeros(x.shape, jnp.float32), like)
  return Moments(jnp.zeros(()), zeros(), zeros())


def add(moments: Moments, tree: Any) -> Moments:
  """Returns the moments with one more tree.

  The sum of squares minus the square of the sum would lose all digits where the mean is large
  beside the deviation; here only distances from the running mean are squared.
  """
  count = moments.count + 1
  mean = jax.tree.map(lambda m, x: m + (x - m) / count, moments.mean, tree)
  squares = jax.tree.map(
      lambda s, x, old, new: s + (x - old) * (x - new), moments.squares, tree, moments.mean, mean)
  return Moments(count, mean, squares)


def variance(moments: Moments) -> Any:
  """Returns the unbiased variance (ddof 1) of every element; at least two trees were added."""
  return jax.tree.map(lambda s: s / (moments.count - 1), moments.squares)
