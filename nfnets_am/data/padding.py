"""Batches of evaluation have one size: the last ones are filled up with rows that do not count."""

from collections.abc import Mapping

import numpy as np


def fill(rows: Mapping[str, np.ndarray], size: int) -> dict[str, np.ndarray]:
  """Returns arrays [k, ...] as [size, ...], and 'mask' float32 [size]: 1 for the k rows, else 0."""
  count = len(next(iter(rows.values())))
  padded = {key: np.pad(value, [(0, size - count)] + [(0, 0)] * (value.ndim - 1))
            for key, value in rows.items()}
  return padded | {'mask': (np.arange(size) < count).astype(np.float32)}


def starts(total: int, size: int, host: int, hosts: int) -> range:
  """Returns where the batches of a host start among `total` examples; each host has as many."""
  return range(host * size, -(-total // (size * hosts)) * size * hosts, size * hosts)
