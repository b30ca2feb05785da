"""The device's end of an input of text: rows travel as they are."""

from collections.abc import Mapping
import dataclasses
from typing import Any

import jax
import numpy as np

from nfnets_am.core import errors

Batch = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class TextPreparation:
  """Hands rows of tokens over.

  Attributes:
    spec: of a row: name -> (shape behind the rows, dtype).
    scalars: what an update has one of, for all its rows: name -> dtype.
  """

  spec: Mapping[str, tuple[tuple[int, ...], Any]]
  scalars: Mapping[str, Any] = dataclasses.field(default_factory=dict)

  def pack(self, batch: Batch, devices: int) -> dict[str, Any]:
    """Returns a host's batch as it travels: scalars once for each device.

    Raises:
      ConfigError: the devices cannot share the rows out.
    """
    rows = len(batch['tokens'])
    if rows % devices:
      raise errors.ConfigError(
          f'{rows} rows of an update cannot be shared out over {devices} devices of a host; '
          'allowed: a multiple of them, which data.multiple makes of sentences')
    return {key: np.repeat(value, devices) if key in self.scalars else value
            for key, value in batch.items()}

  def prepare(self, pool: None, batch: Batch) -> dict[str, Any]:
    """Returns the rows of an update on one device; see `prepare_stored`."""
    del pool
    return self.prepare_stored(batch)

  def prepare_stored(self, batch: Batch) -> dict[str, Any]:
    """Returns rows as `pack` left them, with scalars as scalars."""
    return {key: value[0] if key in self.scalars else value for key, value in batch.items()}

  def batch_spec(self, rows: int, *, raw: bool = False) -> dict[str, Any]:
    """Returns the shapes and dtypes of a device's batch of an update, as `prepare` takes it.

    Args:
      rows: of the device.
      raw: makes no difference: the views of a text are drawn in the model.
    """
    del raw
    of_rows = {key: jax.ShapeDtypeStruct((rows, *shape), dtype)
               for key, (shape, dtype) in self.spec.items()}
    return of_rows | {key: jax.ShapeDtypeStruct((1,), dtype) for key, dtype in self.scalars.items()}
