"""What a run leaves to the next one of its process: data that are read, programs that are compiled.

Runs that differ in their seeds and in where they start run the same programs on the same data: a
program takes what follows from a seed as an argument. All else of a config may be in a program, so
that it must be equal.
"""

import gc
from typing import Any

import jax
import ml_collections

from nfnets_am.config import identity
from nfnets_am.core import programs as programs_lib
from nfnets_am.data import inputs
from nfnets_am.training import sections

# Sections and keys in which runs that share all else may differ; a GPU's process has one kind of
# kernels.
_OWN = ('seed', 'seeds', 'start', 'kernels')


class Warm:
  """Holds what the last run of this process opened and compiled."""

  def __init__(self):
    self._key: dict[str, Any] | None = None
    self.dataset: inputs.Input | None = None
    self.programs = programs_lib.Programs()

  def turn_to(self, config: ml_collections.ConfigDict) -> None:
    """Keeps what a run can take over of the one before; the rest leaves the memory."""
    key = {name: value for name, value in identity.to_json(sections.complete(config)).items()
           if name.partition('.')[0] not in _OWN}
    if key != self._key:
      self.dataset, self.programs = None, programs_lib.Programs()
      if self._key is not None:
        jax.clear_caches()
      self._key = key
    # What the last run left in circles, such as its state on the devices.
    gc.collect()
