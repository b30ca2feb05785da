"""Where an update's gradient is taken: at the parameters, uphill of them, or at random nearby.

An ascent is a function (rows of a device, its own arguments) -> sam.Rule. To add one, write a file
with it and a line here.
"""

from nfnets_am.core import registry
from nfnets_am.optim import random_offset
from nfnets_am.optim import sam


def none(rows: sam.RowsOfDevice) -> sam.Rule:
  """The gradient at the parameters themselves."""
  del rows
  return lambda grad_fn, params, batch, rng, axis_name: grad_fn(params, batch)


ASCENTS = registry.Registry('ascent', {
    'none': none,
    'random_offset': random_offset.random_offset,
    'sam': sam.sam,
})
