"""Digests: one bit, wherever it is, makes another number; shards and order do not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nfnets_am.storage import digests


@pytest.mark.parametrize('dtype', ['float32', 'bfloat16', 'int32', 'uint8', 'bool'])
def test_every_single_bit_counts(dtype):
  rng = np.random.default_rng(0)
  x = np.asarray(jnp.asarray(rng.integers(0, 2, (3, 4)), dtype))
  (whole,) = digests.of([x])
  width = 1 if dtype == 'bool' else 8 * x.dtype.itemsize
  for place in np.ndindex(x.shape):
    for bit in range(width):
      changed = x.copy()
      view = changed.view({1: np.uint8, 2: np.uint16, 4: np.uint32}[x.dtype.itemsize])
      view[place] ^= view.dtype.type(1 << bit)
      assert digests.of([changed]) != [whole]


def test_the_sum_is_the_one_by_hand_and_places_count():
  x = np.arange(6, dtype=np.uint32).reshape(2, 3)
  wanted = sum(v * (2 * i + 1) for i, v in enumerate(range(6))) % 2**32
  assert digests.of({'a': x, 'b': x.T.copy()})[0] == wanted
  assert digests.of([x]) != digests.of([x[::-1].copy()])
  assert digests.of([jax.device_put(x), np.zeros((0, 3), np.float32)]) == [wanted, 0]
