"""What a run's numbers make of its config: durations in updates, and the images of its rows."""

from typing import Any

import ml_collections
import numpy as np

from nfnets_am.config import derived as derived_lib
from nfnets_am.core import registry
from nfnets_am.optim import sam


def images_of_rows(derived: derived_lib.Derived, layout: str) -> np.ndarray:
  """Returns which image each of a host's rows shows: int [devices, micro-batches, rows]."""
  rows = derived.views // derived.hosts
  images, _ = sam.IMAGE_OF_ROW[layout](
      np.arange(rows), derived.copies_per_host, rows // derived.copies_per_host)
  return images.reshape(rows // derived.views_per_device, derived.accumulate, -1)


def in_updates(derived: derived_lib.Derived, section: str, config: ml_collections.ConfigDict,
                entries: registry.Registry) -> dict[str, Any]:
  """Returns the keys of a section, with the durations that stand for numbers in updates."""
  defaults = entries.keys_of(config[section].name)

  def convert(key, value):
    if isinstance(value, tuple):
      return tuple(convert(key, one) for one in value)
    return derived.to_updates(f'{section}.{key}', value) if isinstance(value, str) else value

  return {key: value if isinstance(defaults.get(key, ''), str) else convert(key, value)
          for key, value in config[section].to_dict().items()}
