"""What a run computes, from its config alone: no data set is opened and no weight allocated."""

import dataclasses
import functools
import json

import ml_collections

from nfnets_am import models
from nfnets_am.config import derived as derived_lib
from nfnets_am.config import schema
from nfnets_am.costs import counting
from nfnets_am.costs import kept
from nfnets_am.data import known
from nfnets_am.models import model as model_lib

# A backward pass takes the products of two forward passes: for the inputs, and for the weights.
_PASSES = 3


@dataclasses.dataclass(frozen=True)
class Workload:
  """What a run computes.

  Attributes:
    updates: its length.
    views: rows over all updates.
    flops: of training, in convolutions and products: 2 for a multiply-add, 3 forward passes for a
      gradient, and a second gradient of the share of the rows that SAM ascends on. Evaluation,
      rematerialisation and the optimiser are left out.
  """

  updates: int
  views: int
  flops: float


def of(config: ml_collections.ConfigDict, until: str = '') -> Workload | None:
  """Returns what a run of this config computes; None if the size of its data set is not known.

  Args:
    config: complete.
    until: a duration after which it ends; '' is its own end.

  Raises:
    ConfigError: the config is refused, see config.validate and derived.derive.
  """
  schema.validate(config)
  found = known.training_set(config.data)
  if found is None:
    return None
  # Groups of hosts that read the same images are there only if there are so many hosts.
  hosts = config.data.get('host_group', 1)
  derived = derived_lib.derive(
      config, train_images=found.train_images, devices=hosts, hosts=hosts)
  size, _, channels = found.image_shape
  macs = _macs(json.dumps(config.model.to_dict(), sort_keys=True), size, channels,
               found.num_classes)
  gradients = 1 + config.ascent.get('fraction', 0)
  updates = derived.updates
  if until:
    updates = min(updates, derived.interval('until', until))
  views = derived.views * updates
  return Workload(updates, views, 2.0 * _PASSES * gradients * macs * views)


@functools.cache
def _macs(model: str, size: int, channels: int, num_classes: int) -> int:
  made = _model(model, num_classes)
  return kept.of(['forward_macs', model, size, channels, num_classes],
                 lambda: counting.forward_macs(made, size, channels))


@functools.cache
def _model(model: str, num_classes: int) -> model_lib.Model:
  """The same for the same text, so that its weights are traced once for all sizes of images."""
  kwargs = json.loads(model)
  return models.create_model(kwargs.pop('name'), num_classes, **kwargs)
