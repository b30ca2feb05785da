"""Dropout of text models: masks by the keys of rows and of the update.

An example's views are its rows with other masks. A row's masks follow from its own key, so that
they are the same however rows are shared out over devices and micro-batches; what is dropped of
the weights follows from the update's key, the same for all rows of an update.
"""

from collections.abc import Mapping
from typing import Any

import haiku as hk
import jax
import jax.numpy as jnp

from nfnets_am.models import model


class Noise:
  """What one pass drops; every draw has a number of its own, in the order of the calls."""

  def __init__(self, rows: jax.Array | None, update: jax.Array | None):
    """Takes random keys [R] of the rows and [] of the update; None where nothing is dropped."""
    self._rows, self._update, self._drawn = rows, update, 0

  def locked(self, x: jax.Array, rate: float) -> jax.Array:
    """Drops features of a row at `rate`, the same ones at all times (Gal and Ghahramani 2016).

    Args:
      x: [R, T, D].
      rate: in [0, 1); what stays is scaled by 1 / (1 - rate), as everywhere here.
    """
    return self._of_rows(x, rate, (1, x.shape[-1]))

  def each(self, x: jax.Array, rate: float) -> jax.Array:
    """Drops entries of x [R, ...] at `rate`, each by itself."""
    return self._of_rows(x, rate, x.shape[1:])

  def weights(self, w: jax.Array, rate: float) -> jax.Array:
    """Drops entries of a weight at `rate` (Merity et al. 2018, DropConnect)."""
    return self._of_update(w, rate, w.shape)

  def words(self, table: jax.Array, rate: float) -> jax.Array:
    """Drops rows of an embedding [K, D] at `rate`: words, wherever they stand."""
    return self._of_update(table, rate, (len(table), 1))

  def _of_rows(self, x, rate, shape):
    if self._rows is None or not rate:
      return x
    keys = jax.vmap(jax.random.fold_in, (0, None))(self._rows, self._next())
    return _dropped(x, rate, jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, shape))(keys))

  def _of_update(self, x, rate, shape):
    if self._update is None or not rate:
      return x
    key = jax.random.fold_in(self._update, self._next())
    return _dropped(x, rate, jax.random.bernoulli(key, 1 - rate, shape))

  def _next(self) -> int:
    self._drawn += 1
    return self._drawn


def _dropped(x: jax.Array, rate: float, keep: jax.Array) -> jax.Array:
  return jnp.where(keep, x / (1 - rate), 0)


def of(inputs: Mapping[str, Any], mode: model.Mode) -> Noise:
  """Returns the noise of a pass.

  Args:
    inputs: of a text model. 'noise' are the keys [R] of its rows and 'noise_of_update' [R] that of
      the update, in each row; without them both are drawn from the module's own rng.
    mode: of the pass; where it does not train nothing is dropped.
  """
  if not mode.is_training:
    return Noise(None, None)
  if 'noise' in inputs:
    return Noise(inputs['noise'], inputs['noise_of_update'][0])
  rows, update = jax.random.split(hk.next_rng_key())
  return Noise(jax.random.split(rows, model.rows_of(inputs)), update)
